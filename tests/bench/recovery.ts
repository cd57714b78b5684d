/** How long a killed worker keeps a command from running. */
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { callsInTurn } from '../model-server/scripts.ts';
import { startModelServer } from '../model-server/server.ts';
import { createMachine } from '../setup/cli.ts';
import { median, p95 } from './measure.ts';
import type { Row } from './measure.ts';
import { waitFor } from '../setup/wait-for.ts';

const times = 30;
const longestMs = 180_000;
const heartbeatTimeoutMs = 10_000;
const story = callsInTurn([
  { name: 'run_command', args: { command: 'touch begun && sleep 3000', timeoutSeconds: 3_500 } },
]);

/** Waits until the command begins: its first act is a file, which is taken back when it is cut short. Returns its time of birth. */
async function waitForBegin(file: string, before: bigint | undefined): Promise<bigint> {
  const find = (): bigint | undefined => {
    const now = statSync(file, { bigint: true, throwIfNoEntry: false })?.birthtimeNs;
    return now === before ? undefined : now;
  };
  return await waitFor(`${file}: the command to run`, find, 60_000);
}

export async function measureRecovery(): Promise<Row[]> {
  const model = await startModelServer(story);
  const machine = createMachine({ OPENAI_BASE_URL: model.baseUrl });
  const workspace = join(machine.root, 'workspace');
  const file = join(workspace, 'begun');
  mkdirSync(workspace);
  const found: number[] = [];
  try {
    const run = machine.start('run', '--json', '--id', 'killed', '-C', workspace, 'Sleep');
    run.ended.catch(() => undefined);
    let begun = await waitForBegin(file, undefined);
    const deadline = Date.now() + longestMs;
    while (found.length < times && Date.now() < deadline) {
      const pid = await machine.pidOf('worker');
      // Not at the same place between two heartbeats each time.
      await sleep(500 + ((found.length * 137) % 1_000));
      const killed = performance.now();
      process.kill(pid, 'SIGKILL');
      begun = await waitForBegin(file, begun);
      found.push(performance.now() - killed);
    }
    run.child.kill('SIGKILL');
    await machine.run('cancel', 'killed');
  } finally {
    await machine.stop();
    await model.close();
  }
  const rounded = found.map((ms) => Math.round(ms)).toSorted((a, b) => a - b);
  return [
    {
      name: 'kill -9 of the worker to the command running again, p95 / heartbeat time-out',
      ours: p95(found),
      baseline: heartbeatTimeoutMs,
      unit: 'ms',
      limit: 0.2,
      note: `${found.length} kills, median ${median(found).toFixed(0)} ms, ${rounded[0]} to ${rounded.at(-1)} ms`,
    },
  ];
}
