/** What the engine costs per turn, and how much history it leaves. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Worker } from '@temporalio/worker';
import { toHistoryJson } from '../../audit/mirror/history-json.ts';
import type { HistoryEventJson } from '../../audit/mirror/history-json.ts';
import { connectNative } from '../../workers/native-connection.ts';
import { happy } from '../model-server/scripts.ts';
import { startAgent } from '../setup/agent.ts';
import type { RunHandle, TestAgent } from '../setup/agent.ts';
import { median } from './measure.ts';
import type { Row } from './measure.ts';

const lineOf = (length: number): string => `${'x'.repeat(length - 1)}\n`;

async function historyOf(agent: TestAgent, handle: RunHandle): Promise<HistoryEventJson[]> {
  return toHistoryJson(
    (await agent.client.workflow.getHandle(handle.workflowId).fetchHistory()).events ?? [],
  );
}

/** A model of no latency in a process of its own: it must not use the worker's. */
export async function startModel(count: number): Promise<{ baseUrl: string; stop: () => void }> {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('model.ts', import.meta.url)), String(count)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { baseUrl: line, stop: () => child.kill() };
}

const typeOf = (event: HistoryEventJson): string | undefined =>
  (
    event['activityTaskScheduledEventAttributes'] as
      { activityType?: { name?: string } } | undefined
  )?.activityType?.name;

/** Milliseconds between the moments at which activities named `name` were scheduled. */
function gaps(events: readonly HistoryEventJson[], name: string): number[] {
  const times = events
    .filter((event) => typeOf(event) === name)
    .map(({ eventTime }) => toMs(eventTime));
  return times.slice(1).map((time, index) => time - (times[index] ?? time));
}

/** RFC 3339 with nanoseconds, which Date cuts off. */
const toMs = (time: string): number =>
  Date.parse(time) + Number(`0.${/\.\d{3}(\d*)Z/.exec(time)?.[1] ?? '0'}`);

const turns = 60;

/** Thought, decision, tool and observation against two activities that do nothing, on the same server. */
export async function measureTurn(address: string): Promise<Row[]> {
  const model = await startModel(turns);
  const agent = await startAgent(happy, {
    address,
    baseUrl: model.baseUrl,
    files: { 'lines.txt': lineOf(40).repeat(turns) },
  });
  const connection = await connectNative({ address });
  const queues = [`bare-${process.pid}`, `bare-${process.pid}-a`, `bare-${process.pid}-b`] as const;
  const activities = { noop: async () => undefined };
  const workers = await Promise.all([
    Worker.create({
      connection,
      taskQueue: queues[0],
      workflowsPath: fileURLToPath(new URL('workflows.ts', import.meta.url)),
    }),
    Worker.create({ connection, taskQueue: queues[1], activities }),
    Worker.create({ connection, taskQueue: queues[2], activities }),
  ]);
  const running = workers.map((worker) => worker.run());
  const ours: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < 4; round++) {
    const handle = await agent.start('measure');
    await handle.result();
    const baseline = await agent.client.workflow.start('bare', {
      workflowId: `bare-${process.pid}-${round}`,
      taskQueue: queues[0],
      args: [turns, [queues[1], queues[2]]],
    });
    await baseline.result();
    if (round === 0) continue;
    ours.push(...gaps(await historyOf(agent, handle), 'think'));
    const events = toHistoryJson((await baseline.fetchHistory()).events ?? []);
    bare.push(...gaps(events, 'noop').map((gap) => gap * 2));
  }
  for (const worker of workers) worker.shutdown();
  await Promise.all(running);
  await connection.close();
  await agent.stop();
  model.stop();
  const pairMs = median(bare);
  return [
    {
      name: 'turn: thought, decision, tool, observation / two no-op activities',
      ours: median(ours),
      baseline: pairMs,
      unit: 'ms',
      limit: 1.5,
    },
    {
      name: 'one no-op activity / 12 ms (settings in force)',
      ours: pairMs / 2,
      baseline: 12,
      unit: 'ms',
      limit: 1,
    },
  ];
}

/** History per turn with transcripts that end at so many tokens (4 characters each). */
async function historyBytes(
  address: string,
  tokens: number,
): Promise<{ perTurn: number; largest: number }> {
  const count = 30;
  const length = Math.max(Math.floor((tokens * 4) / count), 20);
  const model = await startModel(count);
  const agent = await startAgent(happy, {
    address,
    baseUrl: model.baseUrl,
    files: { 'lines.txt': lineOf(length).repeat(count) },
  });
  const handle = await agent.start('measure');
  await handle.result();
  const events = await historyOf(agent, handle);
  await agent.stop();
  model.stop();
  const sizes = new Map<string, number>();
  for (const event of events) {
    const id = typeOf(event) === undefined ? scheduledBy(event) : event.eventId;
    if (id !== undefined) sizes.set(id, (sizes.get(id) ?? 0) + payloadBytes(event));
  }
  const perTurn = events.reduce((sum, event) => sum + payloadBytes(event), 0) / count;
  return { perTurn, largest: Math.max(...sizes.values()) };
}

const scheduledBy = (event: HistoryEventJson): string | undefined =>
  (event['activityTaskCompletedEventAttributes'] as { scheduledEventId?: string } | undefined)
    ?.scheduledEventId;

/** Bytes of the payloads of an event: what grows, if anything does. */
function payloadBytes(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  if ('data' in value && typeof value.data === 'string')
    return Buffer.byteLength(value.data, 'base64');
  return Object.values(value).reduce((sum: number, child) => sum + payloadBytes(child), 0);
}

export async function measureHistory(address: string): Promise<Row[]> {
  const small = await historyBytes(address, 1_000);
  const rows: Row[] = [];
  for (const tokens of [50_000, 200_000]) {
    const large = await historyBytes(address, tokens);
    rows.push({
      name: `history per turn at ${tokens / 1_000}k tokens / at 1k`,
      ours: large.perTurn,
      baseline: small.perTurn,
      unit: 'bytes',
      limit: 1.1,
    });
    rows.push({
      name: `largest activity at ${tokens / 1_000}k tokens / 2 KiB`,
      ours: large.largest,
      baseline: 2048,
      unit: 'bytes',
      limit: 1,
    });
  }
  return rows;
}
