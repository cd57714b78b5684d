import { appendFileSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { isAlive, thisProcess } from '../audit/record/lock.ts';

/**
 * Tasks that workers of this machine are at, so that the next worker can give a dead one's back at once instead of waiting
 * for their heartbeat time-out. One file a process, a line when a task begins and one when it ends; not synced, for what
 * counts here is that a killed process has no chance to tidy up, not that the machine lost power.
 */
const prefix = 'tasks-';

/** Notes every activity of this process in `folder`. */
export function noteOpenTasks(folder: string): ActivityInterceptorsFactory {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, `${prefix}${process.pid}.jsonl`);
  appendFileSync(file, `${thisProcess()}\n`, { mode: 0o600 });
  return ({ info }) => ({
    inbound: {
      async execute(input, next) {
        const token = info.base64TaskToken;
        appendFileSync(file, `+${token}\n`);
        try {
          return await next(input);
        } finally {
          appendFileSync(file, `-${token}\n`);
        }
      },
    },
  });
}

/** Task tokens that dead workers have left open, and the end of their notes. */
export function takeLeftTasks(folder: string): string[] {
  const left: string[] = [];
  for (const name of readNames(folder)) {
    const file = join(folder, name);
    const [owner = '', ...lines] = readFileSync(file, 'utf8').split('\n');
    if (isAlive(owner)) continue;
    const open = new Set<string>();
    for (const line of lines) {
      if (line.startsWith('+')) open.add(line.slice(1));
      else open.delete(line.slice(1));
    }
    left.push(...open);
    rmSync(file, { force: true });
  }
  return left;
}

function readNames(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.startsWith(prefix));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
