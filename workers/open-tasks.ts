import { appendFileSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { isAlive, thisProcess } from '../audit/record/lock.ts';
import { ifThere } from '../audit/record/missing.ts';

/**
 * Tasks this machine's workers are running, so that the next worker can fail a dead one's at once instead of waiting
 * for their heartbeat timeout. One file per process, one line at the start and end of each task; not synced, because it
 * covers killed processes, not power cuts.
 */
const prefix = 'tasks-';

/** Records every activity of this process in `folder`. */
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

/** Returns the task tokens dead workers left open, and removes their files. */
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

const readNames = (folder: string): string[] =>
  ifThere(() => readdirSync(folder))?.filter((name) => name.startsWith(prefix)) ?? [];
