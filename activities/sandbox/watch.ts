import { lstatSync, readFileSync, readdirSync, readlinkSync, statSync, statfsSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { join } from 'node:path';
import type { ControlGroup } from './control-groups.ts';
import type { SandboxLimits } from '../../policies/limits.ts';

/** Short commands have ended before the first look: putting their processes into a control group would hold them up. */
const firstMs = 30;
const pollMs = 100;
/** Of the sandboxes around a pipeline's processes, which are in the family too. */
const ours = 64;

export interface Watched {
  /** Absolute. */
  readonly root: string;
  readonly limits: SandboxLimits;
  /** Where the kernel bounds the number of processes; without it they are counted here. */
  readonly group: ControlGroup | undefined;
  /** First processes of the command, as they are now. */
  readonly pids: () => Iterable<number>;
  /** Called once, with a sentence, when a limit is passed. */
  readonly end: (why: string) => void;
}

/** Sees to what the kernel does not bound for us, until `stop` is called. */
export function watchCommand({ root, limits, group, pids, end }: Watched): { stop(): void } {
  const begun = Date.now();
  const free = freeBytes(root);
  let timer = setTimeout(look, firstMs);
  return { stop: () => clearTimeout(timer) };

  function look(): void {
    const why = findExcess();
    if (why === undefined) timer = setTimeout(look, pollMs);
    else end(why);
  }

  function findExcess(): string | undefined {
    const family = [...pids()].flatMap(familyOf);
    group?.adopt(family);
    if (group?.ranOutOfMemory() === true) return memoryExcess(limits);
    if (family.length > limits.processes + ours)
      return `it had ${family.length} processes, at most ${limits.processes} are allowed (sandbox.processes)`;
    const files = bytesInMemory(family);
    if (sum(family, residentBytes) + files > limits.memoryBytes) {
      // Shared pages count in each process that has them; only now is it worth asking for the exact figure.
      const bytes = sum(family, ownBytes) + Math.max(files, sum(family, ownSharedBytes));
      if (bytes > limits.memoryBytes) return memoryExcess(limits, bytes);
    }
    if (free - freeBytes(root) > limits.growthBytes) {
      // Others write to this disk too.
      const bytes = bytesSince(root, begun) + bytesUnnamed(root, family);
      if (bytes > limits.growthBytes)
        return `it wrote ${bytes} bytes into the workspace, at most ${limits.growthBytes} are allowed (sandbox.growth_bytes)`;
    }
    return undefined;
  }
}

/** Why a command was ended, once its memory is used up; `bytes` where they were counted. */
export const memoryExcess = ({ memoryBytes }: SandboxLimits, bytes = memoryBytes): string =>
  `its processes used ${bytes} bytes of memory, at most ${memoryBytes} are allowed (sandbox.memory_bytes)`;

const sum = (pids: readonly number[], bytesOf: (pid: number) => number): number =>
  pids.reduce((total, pid) => total + bytesOf(pid), 0);

function freeBytes(folder: string): number {
  try {
    const { bfree, bsize } = statfsSync(folder);
    return bfree * bsize;
  } catch {
    // A folder that is gone takes no space.
    return Number.POSITIVE_INFINITY;
  }
}

/** A process and all below it. In a sandbox nothing gets out of its family: orphans become children of its first process. */
function familyOf(pid: number): number[] {
  const family: number[] = [];
  for (const todo = [pid]; todo.length > 0;) {
    const each = todo.pop() as number;
    family.push(each);
    for (const thread of list(`/proc/${each}/task`))
      todo.push(...numbersIn(`/proc/${each}/task/${thread}/children`));
  }
  return family;
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // The process has ended, or may not be looked into.
    return '';
  }
}

const numbersIn = (file: string): number[] => read(file).split(' ').filter(Boolean).map(Number);

const kibibytes = (text: string, name: string): number =>
  Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) * 1024;

const residentBytes = (pid: number): number => kibibytes(read(`/proc/${pid}/status`), 'VmRSS');

/** Without files in memory; shared pages are divided among those who share them. */
function ownBytes(pid: number): number {
  const rollup = read(`/proc/${pid}/smaps_rollup`);
  return kibibytes(rollup, 'Pss') - kibibytes(rollup, 'Pss_Shmem');
}

/** Mapped files in memory, whether or not they have a descriptor still. */
const ownSharedBytes = (pid: number): number =>
  kibibytes(read(`/proc/${pid}/smaps_rollup`), 'Pss_Shmem');

/** Bytes of files in memory (memfd_create) that processes have open: they are in nobody's resident memory until they are mapped. */
function bytesInMemory(family: readonly number[]): number {
  const found = new Map<number, number>();
  for (const pid of family)
    for (const fd of list(`/proc/${pid}/fd`)) {
      const path = `/proc/${pid}/fd/${fd}`;
      try {
        if (!readlinkSync(path).startsWith('/memfd:')) continue;
        const stat = statSync(path);
        found.set(stat.ino, bytesOn(stat));
      } catch {
        // Closed meanwhile.
      }
    }
  return [...found.values()].reduce((total, bytes) => total + bytes, 0);
}

/** Bytes on disk of files changed since a time. */
function bytesSince(root: string, since: number): number {
  let bytes = 0;
  for (const todo = [root]; todo.length > 0;) {
    const folder = todo.pop() as string;
    let entries;
    try {
      entries = readdirSync(folder, { withFileTypes: true });
    } catch {
      continue;
    }
    for (const entry of entries) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) todo.push(path);
      else {
        const stat = lstatSync(path, { throwIfNoEntry: false });
        if (stat !== undefined && stat.ctimeMs >= since) bytes += bytesOn(stat);
      }
    }
  }
  return bytes;
}

const bytesOn = ({ blocks }: Stats): number => blocks * 512;

/** Bytes on the workspace's disk of files that have no name any more and are held open. */
function bytesUnnamed(root: string, family: readonly number[]): number {
  const dev = statSync(root, { throwIfNoEntry: false })?.dev;
  const found = new Map<number, number>();
  for (const pid of family)
    for (const fd of list(`/proc/${pid}/fd`)) {
      try {
        const stat = statSync(`/proc/${pid}/fd/${fd}`);
        if (stat.nlink === 0 && stat.dev === dev) found.set(stat.ino, bytesOn(stat));
      } catch {
        // Closed meanwhile.
      }
    }
  return [...found.values()].reduce((total, bytes) => total + bytes, 0);
}
