import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import type { Known } from './scan.ts';

/** What is known of a workspace's git folders between commands and after a killed worker. */
export interface GitRecord {
  /** Git folders and pointers, by device and inode, that existed before any of our commands. */
  readonly own: readonly string[];
  /** Those that commands created. */
  readonly made: readonly string[];
  /** The process whose command is running, or was when it was killed. */
  readonly busy?: string | undefined;
}

/** What is needed to judge what a command left. */
export interface Before extends Pick<Known, 'states' | 'pointers' | 'included'> {
  /** Identities of what commands got as a copy. */
  readonly covered: ReadonlySet<string>;
}

const toFile = (folder: string, workspace: string, kind = 'json'): string =>
  join(folder, `${createHash('sha256').update(workspace).digest('hex').slice(0, 16)}.${kind}`);

export function readRecord(folder: string, workspace: string): GitRecord | undefined {
  try {
    return JSON.parse(readFileSync(toFile(folder, workspace), 'utf8')) as GitRecord;
  } catch {
    return undefined;
  }
}

export function writeRecord(folder: string, workspace: string, record: GitRecord): void {
  write(folder, toFile(folder, workspace), JSON.stringify(record));
}

/** Undefined if missing or unreadable. */
export function readBefore(folder: string, workspace: string): Before | undefined {
  try {
    return deserialize(readFileSync(toFile(folder, workspace, 'before'))) as Before;
  } catch {
    return undefined;
  }
}

/** Call before a record says that a command is running. */
export function writeBefore(folder: string, workspace: string, before: Before): void {
  write(folder, toFile(folder, workspace, 'before'), serialize(before));
}

export function removeBefore(folder: string, workspace: string): void {
  rmSync(toFile(folder, workspace, 'before'), { force: true });
}

function write(folder: string, file: string, content: string | Buffer): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, content, { mode: 0o600 });
  renameSync(temporary, file);
}

/** Identifies a process safely against pid reuse. Undefined if it does not exist. */
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
