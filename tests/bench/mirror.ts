/** How far the record is behind, and what it costs to keep it. */
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker as Thread, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { Client } from '@temporalio/client';
import { connectTemporal } from '../../client/connection.ts';
import { createMachine, toDataConverter } from '../setup/cli.ts';
import type { Machine } from '../setup/cli.ts';
import { startCrowd, startThrough, waitForCrowd } from './crowd.ts';
import { median, p95, timeOf } from './measure.ts';
import type { Row } from './measure.ts';
import { startModel } from './steps.ts';
import { waitFor } from '../setup/wait-for.ts';

const runs = 50;
const turns = 5;
const rounds = 2;
const lookMs = 10;

/** Notes for each line of an event from now on how long after it the line was there. Called in a thread, so that nothing else delays the look. */
async function watchLines(folder: string, stop: Int32Array): Promise<number[]> {
  const lags: number[] = [];
  const since = Date.now();
  const read = new Map<string, number>();
  const buffer = Buffer.alloc(1 << 22);
  for (let last = false; !last;) {
    last = Atomics.load(stop, 0) === 1;
    for (const name of readdirSync(folder).filter((each) => /^run-.*\.jsonl$/.test(each))) {
      const at = read.get(name) ?? 0;
      const fd = openSync(join(folder, name), 'r');
      const bytes = readSync(fd, buffer, 0, buffer.length, at);
      closeSync(fd);
      const now = Date.now();
      const end = buffer.subarray(0, bytes).lastIndexOf(0x0a) + 1;
      read.set(name, at + end);
      for (const line of buffer.toString('utf8', 0, end).split('\n')) {
        if (!line.includes('"kind":"event"')) continue;
        const { time } = JSON.parse(line) as { time: string };
        const happened = Date.parse(time);
        if (happened >= since) lags.push(now - happened);
      }
    }
    await sleep(lookMs);
  }
  return lags;
}

if (!isMainThread && workerData !== null) {
  const { folder, stop } = workerData as { folder: string; stop: Int32Array };
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage(await watchLines(folder, stop));
}

/** Lags of all lines that come while `work` is done. */
async function collectLags(folder: string, work: () => Promise<void>): Promise<number[]> {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const thread = new Thread(fileURLToPath(import.meta.url), { workerData: { folder, stop } });
  const answer = once(thread, 'message') as Promise<[number[]]>;
  await work();
  Atomics.store(stop, 0, 1);
  return (await answer)[0];
}

/** The mirror comes last, after the command that starts the stack has ended. */
async function waitForPart(machine: Machine, name: 'mirror'): Promise<number> {
  const find = () => machine.pidOf(name).catch(() => 0);
  return await waitFor(`the ${name}`, async () => (await find()) || undefined, 10_000);
}

export async function measureMirror(): Promise<Row[]> {
  const machine = createMachine();
  const model = await startModel(turns);
  try {
    const up = await machine.run('up');
    if (up.code !== 0) throw new Error(up.stderr);
    const { temporal } = JSON.parse((await machine.run('ps', '--json')).stdout) as {
      temporal: string;
    };
    const mirror = await waitForPart(machine, 'mirror');
    const connection = await connectTemporal({ address: temporal });
    const client = new Client({ connection, dataConverter: toDataConverter(machine) });
    const crowd = {
      start: startThrough(client, model.baseUrl, machine),
      root: join(machine.root, 'crowd'),
    };
    const runAll = async (name: string): Promise<number> => {
      const ms = await timeOf(async () => {
        await waitForCrowd(await startCrowd(crowd, { name, runs, lines: turns }));
      });
      return ms;
    };
    /** A log is locked as long as it is written. */
    const waitForMirror = async (name: string): Promise<void> => {
      for (let index = 0; index < runs; index++) {
        const file = join(machine.state, `run-${name}-${index}.jsonl`);
        await waitFor(file, () => existsSync(file) && !existsSync(`${file}.lock`), 300_000);
      }
    };
    await runAll('warm');
    await waitForMirror('warm');
    const on: number[] = [];
    const off: number[] = [];
    for (let round = 0; round < rounds; round++) {
      process.kill(mirror, 'SIGSTOP');
      off.push(await runAll(`off-${round}`));
      process.kill(mirror, 'SIGCONT');
      await waitForMirror(`off-${round}`);
      on.push(await runAll(`on-${round}`));
      await waitForMirror(`on-${round}`);
    }
    // Not while throughput is measured: whoever looks takes time of the same two cores.
    const lags = await collectLags(machine.state, async () => {
      await sleep(3_000);
      await runAll('lag');
      await sleep(1_000);
    });
    await connection.close();
    return [
      {
        name: `lag of the mirror with ${runs} runs at once, p95 / 250 ms`,
        ours: p95(lags),
        baseline: 250,
        unit: 'ms',
        limit: 1,
        note: `median ${median(lags).toFixed(0)} ms, ${lags.length} events`,
      },
      {
        name: `${runs} runs at once with the mirror / without`,
        ours: median(on),
        baseline: median(off),
        unit: 'ms',
        limit: 1 / 0.9,
      },
    ];
  } finally {
    model.stop();
    await machine.stop();
  }
}
