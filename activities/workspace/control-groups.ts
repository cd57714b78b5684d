import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const hierarchy = '/sys/fs/cgroup/pids';
const prefix = 'dev-agent-';
let opened: string | undefined;
let commands = 0;
/** Groups whose last process had not quite gone when their command ended. */
const left = new Set<string>();

/**
 * Folder below which each command gets a control group that bounds the number of its processes; gone when the worker ends.
 * Only for root, whose processes the kernel does not count against a resource limit, and only where the pids controller has
 * a hierarchy of its own: with the unified one a group is the business of whoever started the worker. Undefined where there
 * is none.
 */
export function openControlGroups(): string | undefined {
  if (process.getuid?.() !== 0 || opened !== undefined) return opened;
  try {
    const own = /^\d+:pids:(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
    if (own === undefined) return undefined;
    const parent = join(hierarchy, own);
    clearStale(parent);
    const folder = join(parent, `${prefix}${process.pid}`);
    mkdirSync(folder, { recursive: true });
    process.once('exit', () => removeAll(folder));
    opened = folder;
    return folder;
  } catch {
    // Read-only in most containers, which have limits of their own.
    return undefined;
  }
}

/** Groups of workers that were killed. */
function clearStale(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = name.startsWith(prefix) ? name.slice(prefix.length) : undefined;
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) removeAll(join(parent, name));
  }
}

function removeAll(folder: string): void {
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true }))
      if (entry.isDirectory()) remove(join(folder, entry.name));
  } catch {
    return;
  }
  remove(folder);
}

function remove(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch {
    // Something in it still ends; it is removed later.
    return !existsSync(folder);
  }
}

/** The group of one command. */
export interface ControlGroup {
  /**
   * Puts processes into the group that are not there yet; what they start from then on is in it. Not awaited before a command
   * starts: the kernel takes longer to move a process (7 ms) than a short command to run.
   */
  adopt(pids: readonly number[]): void;
  close(): void;
}

/** The group is made when the first process is put into it; where it cannot be made, whoever watches counts the processes. */
export function createControlGroup(parent: string, processes: number): ControlGroup {
  for (const folder of left) if (remove(folder)) left.delete(folder);
  commands += 1;
  const folder = join(parent, `c${commands}`);
  const list = join(folder, 'cgroup.procs');
  let made = false;
  let moving: Promise<unknown> | undefined;
  const make = (): void => {
    if (made) return;
    mkdirSync(folder, { recursive: true });
    made = true;
    writeFileSync(join(folder, 'pids.max'), String(processes));
  };
  const move = async (pids: readonly number[]): Promise<void> => {
    make();
    const there = new Set((await readFile(list, 'utf8')).split('\n').map(Number));
    for (const pid of pids) {
      // Most that is refused has ended already; the rest is counted by whoever watches the command.
      if (!there.has(pid)) await writeFile(list, String(pid)).catch(() => undefined);
    }
  };
  return {
    adopt(pids) {
      moving ??= move(pids)
        .catch(() => undefined)
        .finally(() => (moving = undefined));
    },
    close() {
      // The kernel takes a while; nobody waits for it.
      if (made) void rmdir(folder).catch(() => left.add(folder));
    },
  };
}
