import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What is remembered of a workspace's git folders from one command to the next, and after a worker was killed. */
export interface GitRecord {
  /** Git folders and pointers, by device and inode, that were there before any command of ours made one. */
  readonly own: readonly string[];
  /** Those that commands have made. */
  readonly made: readonly string[];
  /** The process whose command is at work, or was when it was killed. */
  readonly busy?: string | undefined;
}

const toFile = (folder: string, workspace: string): string =>
  join(folder, `${createHash('sha256').update(workspace).digest('hex').slice(0, 16)}.json`);

export function readRecord(folder: string, workspace: string): GitRecord | undefined {
  try {
    return JSON.parse(readFileSync(toFile(folder, workspace), 'utf8')) as GitRecord;
  } catch {
    return undefined;
  }
}

export function writeRecord(folder: string, workspace: string, record: GitRecord): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = toFile(folder, workspace);
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, JSON.stringify(record), { mode: 0o600 });
  renameSync(temporary, file);
}

/** A process as the kernel knows it: a number alone may be another's by now. Undefined when there is none. */
export function identifyProcess(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return `${pid} ${started}`;
  } catch {
    return undefined;
  }
}

export const isAlive = (process: string): boolean =>
  identifyProcess(Number(process.split(' ', 1)[0])) === process;
