import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/** Processes of all commands of a worker together. */
export const mostProcesses = 512;

const hierarchy = '/sys/fs/cgroup/pids';
const prefix = 'dev-agent-';
let opened: string | undefined;

/**
 * Folder of a control group that bounds the number of a worker's command processes; gone when the worker ends. Only for root,
 * whose processes the kernel does not count against a resource limit, and only where the pids controller has a hierarchy of
 * its own: with the unified one a group is the business of whoever started the worker. Undefined where there is none.
 */
export function openControlGroup(): string | undefined {
  if (process.getuid?.() !== 0 || opened !== undefined) return opened;
  try {
    const own = /^\d+:pids:(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
    if (own === undefined) return undefined;
    const parent = join(hierarchy, own);
    clearStale(parent);
    const folder = join(parent, `${prefix}${process.pid}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'pids.max'), String(mostProcesses));
    process.once('exit', () => removeQuietly(folder));
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
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) removeQuietly(join(parent, name));
  }
}

function removeQuietly(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Something in it still ends; the next worker removes it.
  }
}

/** Puts a process, and all it will start, into the group. */
export function joinGroup(folder: string, pid: number): void {
  try {
    writeFileSync(join(folder, 'cgroup.procs'), String(pid));
  } catch {
    // The process has ended already, or somebody removed the group: the command runs without the limit.
  }
}
