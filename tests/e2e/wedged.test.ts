/** Runs that cannot go on, driven from the terminal as a person would. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { Connection } from '@temporalio/client';
import { connectTemporal } from '../../client/connection.ts';
import type { StackFile } from '../../config/stack.ts';
import { callsInTurn } from '../model-server/scripts.ts';
import { startModelServer } from '../model-server/server.ts';
import type { ModelServer } from '../model-server/server.ts';
import { createMachine } from '../setup/cli.ts';
import type { Machine } from '../setup/cli.ts';
import { waitFor } from '../setup/wait-for.ts';

let machine: Machine;
let model: ModelServer;

before(async () => {
  model = await startModelServer(
    callsInTurn([{ name: 'run_command', args: { command: 'sleep 600' } }]),
  );
  machine = createMachine({ OPENAI_BASE_URL: model.baseUrl, AGENT_MODEL: 'scripted' });
  const up = await machine.run('up');
  assert.equal(up.code, 0, up.stderr);
});
after(async () => {
  await machine.stop();
  await model.close();
});

const readStackFile = (): StackFile =>
  JSON.parse(readFileSync(join(machine.state, 'stack.json'), 'utf8')) as StackFile;

async function withServer<T>(
  use: (connection: Connection, stack: StackFile) => Promise<T>,
): Promise<T> {
  const stack = readStackFile();
  const connection = await connectTemporal({ address: stack.temporal });
  try {
    return await use(connection, stack);
  } finally {
    await connection.close();
  }
}

/** A run whose input no worker can read: each of its workflow tasks fails, again and again. */
const startUnreadable = (run: string): Promise<unknown> =>
  withServer((connection, { namespace, queue }) =>
    connection.workflowService.startWorkflowExecution({
      namespace,
      workflowId: `run-${run}`,
      requestId: randomUUID(),
      identity: 'test',
      workflowType: { name: 'agentRun' },
      taskQueue: { name: `${queue}-run` },
      input: {
        payloads: [{ metadata: { encoding: Buffer.from('binary/odd') }, data: Buffer.from('?') }],
      },
    }),
  );

const resetToStart = (run: string): Promise<unknown> =>
  withServer(async ({ workflowService }, { namespace }) => {
    const execution = { workflowId: `run-${run}` };
    const { history } = await workflowService.getWorkflowExecutionHistory({ namespace, execution });
    const done = history?.events?.find((each) => each.workflowTaskCompletedEventAttributes);
    return await workflowService.resetWorkflowExecution({
      namespace,
      requestId: randomUUID(),
      reason: 'a test',
      workflowExecution: execution,
      workflowTaskFinishEventId: done?.eventId ?? null,
    });
  });

async function waitForStatus(run: string, status: string): Promise<Record<string, unknown>> {
  let printed = '';
  const look = async () => {
    printed = (await machine.run('list', '--json')).stdout;
    const rows = JSON.parse(printed) as Record<string, unknown>[];
    return rows.find((row) => row['run'] === run && row['status'] === status);
  };
  return await waitFor(() => `run ${run} to be ${status}: ${printed}`, look);
}

const readLog = (run: string): string[] =>
  readFileSync(join(machine.state, `run-${run}.jsonl`), 'utf8')
    .trim()
    .split('\n');

const readEnds = (run: string): string[] =>
  readdirSync(join(machine.state, 'audit'))
    .filter((name) => name.endsWith('.jsonl'))
    .flatMap((name) => readFileSync(join(machine.state, 'audit', name), 'utf8').split('\n'))
    .filter((line) => line.includes('"kind":"end"') && line.includes(`"run":"${run}"`));

test('a run whose workflow fails is shown with the error, and is ended by force with a closed record', async () => {
  await startUnreadable('odd');
  const row = await waitForStatus('odd', 'failing');
  assert.match(JSON.stringify(row['trouble']), /"what":"workflow".*encoding/i);
  const shown = await machine.run('show', 'odd');
  assert.match(shown.stdout, /is stuck: its workflow fails .*encoding/i);
  assert.match(shown.stdout, /agent cancel odd --force/);
  const asJson = JSON.parse((await machine.run('show', 'odd', '--json')).stdout) as object;
  assert.match(JSON.stringify(asJson), /"status":"failing"/);
  const watching = machine.start('attach', 'odd');
  await new Promise<void>((resolve) =>
    watching.child.stderr?.on('data', (text) => {
      if (String(text).includes('is stuck')) resolve();
    }),
  );
  const polite = await machine.run('cancel', 'odd');
  assert.equal(polite.code, 0, polite.stderr);
  assert.match(polite.stderr, /agent cancel odd --force/);
  await waitForStatus('odd', 'failing');
  const forced = await machine.run('cancel', 'odd', '--force');
  assert.equal(forced.code, 0, forced.stderr);
  assert.match(forced.stdout, /Run odd was ended by force/);
  const watched = await watching.ended;
  assert.equal(watched.code, 130, watched.stderr);
  assert.match(watched.stderr, /is stuck/);
  assert.match(readLog('odd').at(-1) ?? '', /"kind":"close"/);
  assert.equal(readEnds('odd').length, 1);
  await waitForStatus('odd', 'cancelled');
  const again = await machine.run('cancel', 'odd', '--force');
  assert.equal(again.code, 0, again.stderr);
  assert.match(again.stdout, /had ended already: cancelled/);
  assert.equal(readEnds('odd').length, 1);
  const verified = await machine.run('audit', 'verify', 'odd');
  assert.equal(verified.code, 0, verified.stderr + verified.stdout);
});

test('force frees the folder of a run in a command, with no worker that could help', async () => {
  const folder = join(machine.root, 'project');
  mkdirSync(folder);
  writeFileSync(join(folder, 'a.txt'), 'a');
  const started = await machine.run('run', '--detach', '--id', 'held', '-C', folder, 'Wait');
  assert.equal(started.code, 0, started.stderr);
  const following = machine.start('attach', 'held', '--json');
  await following.waitFor(({ type }) => type === 'tool.requested');
  const leases = join(machine.state, 'leases');
  const holds = (): boolean =>
    readdirSync(leases).some(
      (name) =>
        name.endsWith('.json') && readFileSync(join(leases, name), 'utf8').includes('"run":"held"'),
    );
  for (const deadline = Date.now() + 20_000; !holds(); await setTimeout(50))
    assert.ok(Date.now() < deadline, 'the run takes its folder');
  // Stopped, it answers nobody and is not replaced.
  const worker = await machine.pidOf('worker');
  process.kill(worker, 'SIGSTOP');
  try {
    const forced = await machine.run('cancel', 'held', '--force', '--json');
    assert.equal(forced.code, 0, forced.stderr);
    const told = JSON.parse(forced.stdout) as {
      ended: boolean;
      recorded: boolean;
      freed: string[];
    };
    assert.deepEqual([told.ended, told.recorded, told.freed], [true, true, [folder]]);
    assert.equal(holds(), false);
    assert.equal(readEnds('held').length, 1);
  } finally {
    process.kill(worker, 'SIGCONT');
  }
  const ended = await following.ended;
  assert.equal(ended.code, 130, ended.stderr);
  // Whoever reaches Temporal may bring the run back; no worker goes on with it.
  await resetToStart('held');
  await waitForStatus('held', 'denied');
  const next = await machine.run('run', '--detach', '--id', 'next', '-C', folder, 'Wait');
  assert.equal(next.code, 0, next.stderr);
  assert.equal((await machine.run('cancel', 'next')).code, 0);
});

test('force says what there is nothing of', async () => {
  const unknown = await machine.run('cancel', 'nobody', '--force');
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /no run "nobody"/);
  assert.equal(existsSync(join(machine.state, 'run-nobody.jsonl')), false);
});
