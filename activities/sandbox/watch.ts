import { lstatSync, readFileSync, readdirSync, readlinkSync, statSync, statfsSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { join } from 'node:path';
import type { ControlGroup } from './control-groups.ts';
import type { SandboxLimits } from '../../policies/limits.ts';

/** Short commands end before the first check: moving their processes to a control group would slow them down. */
const firstMs = 30;
const pollMs = 100;
/** Sandbox processes around a pipeline's, which belong to the family too. */
const ours = 64;

export interface Watched {
  /** Absolute. */
  readonly root: string;
  readonly limits: SandboxLimits;
  /** Limits processes in the kernel; if absent, they are counted here. */
  readonly group: ControlGroup | undefined;
  /** The command's initial processes, as of now. */
  readonly pids: () => Iterable<number>;
  /** Called once, with a sentence, when a limit is exceeded. */
  readonly end: (why: string) => void;
}

/** Enforces what the kernel does not, until `stop` is called. */
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
      // Shared pages count in every process that maps them; only now is the exact figure worth its cost.
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

/** Why a command was killed for its memory use; `bytes` if counted. */
export const memoryExcess = ({ memoryBytes }: SandboxLimits, bytes = memoryBytes): string =>
  `its processes used ${bytes} bytes of memory, at most ${memoryBytes} are allowed (sandbox.memory_bytes)`;

const sum = (pids: readonly number[], bytesOf: (pid: number) => number): number =>
  pids.reduce((total, pid) => total + bytesOf(pid), 0);

function freeBytes(folder: string): number {
  try {
    const { bfree, bsize } = statfsSync(folder);
    return bfree * bsize;
  } catch {
    // A deleted folder takes no space.
    return Number.POSITIVE_INFINITY;
  }
}

/** A process and its descendants. In a sandbox nothing escapes: orphans become children of its first process. */
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
    // The process is gone, or may not be inspected.
    return '';
  }
}

const numbersIn = (file: string): number[] => read(file).split(' ').filter(Boolean).map(Number);

const kibibytes = (text: string, name: string): number =>
  Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) * 1024;

const residentBytes = (pid: number): number => kibibytes(read(`/proc/${pid}/status`), 'VmRSS');

/** Excludes files in memory; shared pages are divided among their users. */
function ownBytes(pid: number): number {
  const rollup = read(`/proc/${pid}/smaps_rollup`);
  return kibibytes(rollup, 'Pss') - kibibytes(rollup, 'Pss_Shmem');
}

/** Mapped in-memory files, with or without an open descriptor. */
const ownSharedBytes = (pid: number): number =>
  kibibytes(read(`/proc/${pid}/smaps_rollup`), 'Pss_Shmem');

/** Bytes of open in-memory files (memfd_create): they are in no process's resident memory until mapped. */
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

/** Bytes on the workspace's disk of deleted files that are still open. */
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
