/** Two workers of one state folder, one of which is not what it was. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Fault } from '../fault.ts';
import { kill, signal } from '../kill.ts';
import type { World } from '../world.ts';
import { waitFor } from '../../setup/wait-for.ts';

const program = fileURLToPath(new URL('../../../workers/main.ts', import.meta.url));

/** Started as the stack starts its own, with the same environment; resolves when it takes tasks. */
async function startSecondWorker(world: World): Promise<ChildProcess> {
  await world.machine.run('up');
  const pid = await world.machine.pidOf('worker');
  const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  const env = Object.fromEntries(
    variables.filter((text) => text !== '').map((text) => splitAt(text, text.indexOf('='))),
  );
  delete env['NODE_CHANNEL_FD'];
  const child = spawn(process.execPath, [program], {
    cwd: world.machine.state,
    env,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  await once(child, 'message');
  return child;
}

const splitAt = (text: string, at: number): [string, string] => [
  text.slice(0, at),
  text.slice(at + 1),
];

async function endWorker(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

/** Both take tasks of the same run; then one of them is killed. */
export const twoWorkers: Fault = {
  name: 'two-workers',
  where: 'a second worker, then SIGKILL of one',
  occasions: 3,
  async strike(world, id, occasion) {
    const second = await startSecondWorker(world);
    try {
      const run = world.begin(id);
      await run.progress(occasion * 3 + 1);
      const at = Date.now();
      if (occasion === 1) second.kill('SIGKILL');
      else kill(world, 'worker', run);
      await run.check();
      return await run.recovery(at);
    } finally {
      await endWorker(second);
    }
  },
};

/** The log grows by a tick a second while the command runs. */
const readTicks = (workspace: string): number => {
  try {
    return readFileSync(join(workspace, 'log'), 'utf8').split('\n').length - 1;
  } catch {
    return 0;
  }
};

/**
 * A worker stands still for longer than a heartbeat may stay out while its command goes on writing. Another one takes over;
 * then the first wakes up, and must not commit.
 */
export const zombieChild: Fault = {
  name: 'zombie-child',
  where: 'SIGSTOP of the worker for 12 s in a command',
  occasions: 1,
  async strike(world, id) {
    await world.learn('slow');
    const run = world.begin(id, 'slow');
    await waitFor('two ticks', () => readTicks(run.workspace) >= 2, 120_000);
    const first = world.pidOf('worker');
    const at = Date.now();
    signal(first, 'SIGSTOP');
    const second = await startSecondWorker(world);
    try {
      await setTimeout(12_000);
      signal(first, 'SIGCONT');
      await run.check(120_000);
      return await run.recovery(at);
    } finally {
      signal(first, 'SIGCONT');
      await endWorker(second);
    }
  },
};
