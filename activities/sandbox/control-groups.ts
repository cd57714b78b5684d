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

const prefix = 'dev-agent-';
let opened: ControlGroups | undefined;
let commands = 0;
/** Groups whose last process was still exiting when their command ended. */
const left = new Set<string>();

/** Folders in which each command gets a group; a controller without its own hierarchy is absent. */
export interface ControlGroups {
  readonly pids?: string;
  readonly memory?: string;
}

/**
 * Control groups limiting each command's processes and memory; removed when the worker ends. Only for root: the kernel
 * exempts root from the process limit, and others may not create groups. Only for controllers with their own (v1)
 * hierarchy: in the unified one, groups belong to whoever started the worker (`MemoryMax=` and `TasksMax=` of a systemd
 * unit, a container's limits).
 */
export function openControlGroups(): ControlGroups {
  if (process.getuid?.() !== 0) return {};
  return (opened ??= { ...openHierarchy('pids'), ...openHierarchy('memory') });
}

function openHierarchy(controller: keyof ControlGroups): ControlGroups {
  try {
    const own = new RegExp(`^\\d+:${controller}:(.*)$`, 'm').exec(
      readFileSync('/proc/self/cgroup', 'utf8'),
    )?.[1];
    if (own === undefined) return {};
    const parent = join('/sys/fs/cgroup', controller, own);
    clearStale(parent);
    const folder = join(parent, `${prefix}${process.pid}`);
    mkdirSync(folder, { recursive: true });
    process.once('exit', () => removeAll(folder));
    return { [controller]: folder };
  } catch {
    // Read-only in most containers, which have their own limits.
    return {};
  }
}

/** Removes groups of killed workers. */
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
    // Something in it is still exiting; it is removed later.
    return !existsSync(folder);
  }
}

/** One command's groups. */
export interface ControlGroup {
  /**
   * Moves processes into the group; whatever they start later is in it too. Not awaited before a command starts: the
   * kernel takes longer to move a process (7 ms) than a short command to run.
   */
  adopt(pids: readonly number[]): void;
  /** True if the kernel killed a process because the group ran out of memory. */
  ranOutOfMemory(): boolean;
  close(): void;
}

interface GroupLimits {
  readonly processes: number;
  readonly memoryBytes: number;
}

/** Groups are created with the first process; if that fails, the watcher counts instead. */
export function createControlGroup(groups: ControlGroups, limits: GroupLimits): ControlGroup {
  for (const folder of left) if (remove(folder)) left.delete(folder);
  commands += 1;
  const name = `c${commands}`;
  const of = (folder: string | undefined): string[] =>
    folder === undefined ? [] : [join(folder, name)];
  const [pids, memory] = [of(groups.pids), of(groups.memory)];
  const folders = [...pids, ...memory];
  let made = false;
  let moving: Promise<unknown> | undefined;
  const make = (): void => {
    if (made) return;
    for (const folder of folders) mkdirSync(folder, { recursive: true });
    made = true;
    for (const folder of pids) writeFileSync(join(folder, 'pids.max'), String(limits.processes));
    // Files in memory and the page cache count too; the kernel drops what it can reread before it kills a process.
    for (const folder of memory)
      writeFileSync(join(folder, 'memory.limit_in_bytes'), String(limits.memoryBytes));
  };
  const move = async (family: readonly number[]): Promise<void> => {
    make();
    for (const folder of folders) {
      const list = join(folder, 'cgroup.procs');
      const there = new Set((await readFile(list, 'utf8')).split('\n').map(Number));
      for (const pid of family) {
        // A refused process has usually exited; the watcher counts the rest.
        if (!there.has(pid)) await writeFile(list, String(pid)).catch(() => undefined);
      }
    }
  };
  return {
    adopt(family) {
      moving ??= move(family)
        .catch(() => undefined)
        .finally(() => (moving = undefined));
    },
    ranOutOfMemory: () => made && memory.some(hasEndedProcesses),
    close() {
      // Slow in the kernel; nobody waits for it.
      if (made) for (const folder of folders) void rmdir(folder).catch(() => left.add(folder));
    },
  };
}

function hasEndedProcesses(folder: string): boolean {
  try {
    const state = readFileSync(join(folder, 'memory.oom_control'), 'utf8');
    return Number(/^oom_kill (\d+)$/m.exec(state)?.[1] ?? 0) > 0;
  } catch {
    return false; // The group could not be made.
  }
}
