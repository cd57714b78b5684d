import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

/** A process, safe against pid reuse. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks since boot on Linux; elsewhere the start time as `ps` prints it. */
  readonly startTime: string;
}

/**
 * Flags of Node for a process that stays. While it starts, V8 makes room for up to 64 MiB of young objects, and keeps it
 * until there is that much to collect again. The worker gets more than the others: transcripts pass through it.
 */
export const idleFlags = ['--max-semi-space-size=1'] as const;
export const workerFlags = ['--max-semi-space-size=2'] as const;

const askPs = (column: string, pid: number): string =>
  execFileSync('ps', ['-o', column, '-p', String(pid)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();

/** Start time of a running process; undefined if there is none or it is a zombie. */
export function readStartTime(pid: number): string | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  if (process.platform === 'linux') {
    let stat: string;
    try {
      stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    } catch {
      return undefined;
    }
    // The second field is the program name in parentheses, which may contain spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  }
  try {
    return askPs('lstart=', pid) || undefined;
  } catch {
    return undefined;
  }
}

/** True while this exact process runs. */
export const isRunning = ({ pid, startTime }: ProcessId): boolean =>
  readStartTime(pid) === startTime;

/** Resident bytes of a process; undefined if the system does not tell. */
export function readMemory(pid: number): number | undefined {
  try {
    if (process.platform !== 'linux') {
      return Number(askPs('rss=', pid)) * 1024 || undefined;
    }
    const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return line?.[1] === undefined ? undefined : Number(line[1]) * 1024;
  } catch {
    return undefined;
  }
}

/** Resident bytes of a process and its descendants; undefined if the system does not tell. */
export function readTreeMemory(pid: number): number | undefined {
  const own = readMemory(pid);
  if (own === undefined) return undefined;
  const started = readChildren(pid).map((child) => readTreeMemory(child) ?? 0);
  return started.reduce((sum, bytes) => sum + bytes, own);
}

function readChildren(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return text === '' ? [] : text.split(' ').map(Number);
  } catch {
    return []; // Gone in between, or not told here.
  }
}

const hasEnded = async (id: ProcessId, withinMs: number): Promise<boolean> => {
  const deadline = Date.now() + withinMs;
  while (isRunning(id)) {
    if (Date.now() > deadline) return false;
    await setTimeout(10);
  }
  return true;
};

/** Sends SIGTERM, kills after `graceMs`, and resolves once the process is gone. */
export async function endProcess(id: ProcessId, graceMs: number): Promise<void> {
  for (const [signal, patience] of [
    ['SIGTERM', graceMs],
    ['SIGKILL', 5_000],
  ] as const) {
    if (patience === 0) continue;
    if (!isRunning(id)) return;
    try {
      process.kill(id.pid, signal);
    } catch {
      return; // Gone in between.
    }
    if (await hasEnded(id, patience)) return;
  }
}
