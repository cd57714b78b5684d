/** What many runs at once cost. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { connectTemporal } from '../../client/connection.ts';
import { connectNative } from '../../workers/native-connection.ts';
import { runView } from '../../workflows/contract.ts';
import { callsInTurn, happy } from '../model-server/scripts.ts';
import { startModelServer } from '../model-server/server.ts';
import { startAgent } from '../setup/agent.ts';
import { createMachine, toDataConverter } from '../setup/cli.ts';
import type { Machine } from '../setup/cli.ts';
import { countActivities, startCrowd, startThrough, waitForCrowd } from './crowd.ts';
import type { Handles } from './crowd.ts';
import { median, timeOf } from './measure.ts';
import type { Row } from './measure.ts';
import { startModel } from './steps.ts';
import { waitFor } from '../setup/wait-for.ts';

const atOnce = 50;
const turns = 10;
const rounds = 3;

/** Activities per second of 50 runs, and of 50 workflows of as many activities that do nothing. */
async function measureThroughput(address: string): Promise<Row[]> {
  const model = await startModel(turns);
  const agent = await startAgent(happy, { address, baseUrl: model.baseUrl });
  const connection = await connectNative({ address });
  const queues = ['', '-a', '-b'].map((end) => `many-${process.pid}${end}`) as [
    string,
    string,
    string,
  ];
  const activities = { noop: async () => undefined };
  const workflowsPath = fileURLToPath(new URL('workflows.ts', import.meta.url));
  const workers = await Promise.all([
    Worker.create({ connection, taskQueue: queues[0], workflowsPath }),
    Worker.create({ connection, taskQueue: queues[1], activities }),
    Worker.create({ connection, taskQueue: queues[2], activities }),
  ]);
  const running = workers.map((worker) => worker.run());
  const crowd = {
    start: (run: string, workspace: string) => agent.start('measure', { run, workspace }),
    root: join(agent.folders.root, 'crowd'),
  };
  const ours: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    let handles: Handles = [];
    const ms = await timeOf(async () => {
      const name = `many${process.pid}-${round}`;
      handles = await startCrowd(crowd, { name, runs: atOnce, lines: turns });
      await waitForCrowd(handles);
    });
    const each = await countActivities(handles);
    const pairs = Math.round(each / 2);
    const bareMs = await timeOf(async () => {
      const starting = Array.from({ length: atOnce }, (_, index) =>
        agent.client.workflow.start('bare', {
          workflowId: `many-bare-${process.pid}-${round}-${index}`,
          taskQueue: queues[0],
          args: [pairs, [queues[1], queues[2]]],
        }),
      );
      await Promise.all((await Promise.all(starting)).map((handle) => handle.result()));
    });
    if (round === 0) continue;
    ours.push((atOnce * each * 1_000) / ms);
    bare.push((atOnce * pairs * 2 * 1_000) / bareMs);
  }
  for (const worker of workers) worker.shutdown();
  await Promise.all(running);
  await connection.close();
  await agent.stop();
  model.stop();
  return [
    {
      name: `activities of ${atOnce} runs at once / of ${atOnce} bare workflows`,
      ours: median(ours),
      baseline: median(bare),
      unit: 'per second',
      limit: 0.7,
      direction: 'at least',
    },
  ];
}

const wanted = 1_000;
const longestMs = 300_000;

const rssOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

const isWaiting = async (handle: Handles[number]): Promise<boolean> =>
  (await handle.query(runView)).now.phase === 'awaiting-approval';

async function waitForAll(handles: Handles): Promise<void> {
  for (const handle of handles)
    await waitFor(`a question of ${handle.workflowId}`, () => isWaiting(handle), longestMs);
}

/** Memory of the worker for each run that waits for an approval. */
async function measureWaiting(machine: Machine, address: string): Promise<Row[]> {
  const model = await startModelServer(
    callsInTurn([{ name: 'write_file', args: { path: 'AGENTS.md', content: 'Be kind.\n' } }]),
  );
  const connection = await connectTemporal({ address });
  const client = new Client({ connection, dataConverter: toDataConverter(machine) });
  const worker = await machine.pidOf('worker');
  const crowd = {
    start: startThrough(client, model.baseUrl, machine),
    root: join(machine.root, 'waiting'),
  };
  const deadline = Date.now() + longestMs;
  await waitForAll(await startCrowd(crowd, { name: 'warm', runs: 5, lines: 1 }));
  await sleep(2_000);
  const idle = rssOf(worker);
  let count = 0;
  while (count < wanted && Date.now() < deadline) {
    await waitForAll(await startCrowd(crowd, { name: `wait-${count}`, runs: 50, lines: 1 }));
    count += 50;
  }
  await sleep(2_000);
  const full = rssOf(worker);
  await connection.close();
  await model.close();
  return [
    {
      name: 'memory of the worker for each run that waits for approval / 1.5 MB',
      ours: (full - idle) / count,
      baseline: 1.5,
      unit: 'MB',
      limit: 1,
      note: `${count} runs, ${idle.toFixed(0)} MB idle, ${full.toFixed(0)} MB then`,
    },
  ];
}

export async function measureMany(): Promise<Row[]> {
  const machine = createMachine();
  try {
    const up = await machine.run('up');
    if (up.code !== 0) throw new Error(up.stderr);
    const { temporal } = JSON.parse((await machine.run('ps', '--json')).stdout) as {
      temporal: string;
    };
    return [...(await measureThroughput(temporal)), ...(await measureWaiting(machine, temporal))];
  } finally {
    await machine.stop();
  }
}
