import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Client, Connection } from '@temporalio/client';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';

import { verifyChain } from '../../audit/record/chain.ts';
import { readRunEvents } from '../../audit/events/events.ts';
import { exportRun } from '../../audit/export/export.ts';
import { verifyExport } from '../../audit/export/import.ts';
import { verifyState } from '../../audit/verify/verify.ts';
import { readExecutions } from '../../audit/verify/executions.ts';
import type { HistoryEventJson } from '../../audit/mirror/history-json.ts';
import { toHistoryJson } from '../../audit/mirror/history-json.ts';
import { toRunLog } from '../../config/folders.ts';
import { startServer } from '../setup/temporal.ts';
import { resumeRun, sayToRun } from '../../workflows/contract.ts';
import { fromWorkflowId } from '../../workflows/names.ts';
import { runAgent } from '../cli/program.ts';
import { happy } from '../model-server/scripts.ts';
import { startAgent } from '../setup/agent.ts';
import { startTemporal } from '../setup/temporal.ts';
import type { TestTemporal } from '../setup/temporal.ts';
import { findFreePort } from '../setup/time-skipping.ts';
import { createFolder, readAll } from './folder.ts';
import { waitFor } from '../setup/wait-for.ts';

const mirrorProgram = fileURLToPath(new URL('../../workers/mirror.ts', import.meta.url));

let own: TestTemporal | undefined;
before(async () => {
  if (process.env['TEMPORAL_TEST_ADDRESS'] !== undefined) return;
  own = await startTemporal();
  process.env['TEMPORAL_TEST_ADDRESS'] = own.address;
  process.env['AGENT_TEMPORAL_CLI'] = own.cli;
});
after(() => own?.stop());

/** A mirror in a process of its own, as the stack runs it. */
const startMirror = (t: TestContext, address: string, root: string) => {
  const child = spawn(process.execPath, [mirrorProgram], {
    env: { ...process.env, TEMPORAL_ADDRESS: address, AGENT_STATE_DIR: root, LOG_LEVEL: 'fatal' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = once(child, 'exit');
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await exited;
  };
  t.after(() => end('SIGKILL'));
  return { end };
};

const countLines = (file: string): number =>
  existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;

const isComplete = (file: string): boolean =>
  existsSync(file) && readFileSync(file, 'utf8').includes('"kind":"close"');

/** What the server itself tells of an execution. */
const fetchHistory = async (client: Client, workflowId: string, runId: string) => {
  const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
  return toHistoryJson(events ?? []);
};

test('a mirror killed again and again keeps each event of a run once, over all its executions', async (t) => {
  const agent = await startAgent(happy);
  t.after(() => agent.stop());
  const { root, mirror } = agent.folders;
  const handle = await agent.start('Write notes', { historyLimit: 12 });
  const file = toRunLog(root, fromWorkflowId(handle.workflowId));
  await mkdir(mirror, { recursive: true });
  await writeFile(join(mirror, handle.workflowId), '');

  const address = process.env['TEMPORAL_TEST_ADDRESS'] ?? '';
  for (let kill = 0; kill < 3; kill++) {
    const lines = countLines(file);
    const { end } = startMirror(t, address, root);
    await waitFor('another line', () => countLines(file) > lines || isComplete(file));
    await end('SIGKILL');
  }
  const { end } = startMirror(t, address, root);
  await handle.result();
  await waitFor('the whole log', () => isComplete(file));
  await waitFor('the notice to go', () => !existsSync(join(mirror, handle.workflowId)));
  await end('SIGTERM');

  const run = fromWorkflowId(handle.workflowId);
  assert.equal((await verifyChain(file, `run ${run}`)).ok, true);
  const records = await readAll(file);
  const kinds = records.map(({ kind }) => kind);
  assert.equal(kinds[0], 'header');
  assert.equal(kinds.at(-1), 'close');

  const executions = Map.groupBy(
    records.filter(({ kind }) => kind === 'event'),
    ({ execution }) => String(execution),
  );
  assert.ok(executions.size >= 2, 'the run went on in another execution');
  assert.equal(kinds.filter((kind) => kind === 'link').length, executions.size - 1);
  for (const [runId, taken] of executions) {
    const events = taken.map(({ event }) => event as HistoryEventJson);
    assert.deepEqual(events, await fetchHistory(agent.client, handle.workflowId, runId));
    // What replay reads back says the same again.
    assert.deepEqual(toHistoryJson(historyFromJSON({ events }).events ?? []), events);
  }

  const told = [];
  for await (const event of readRunEvents(file)) told.push(event);
  assert.deepEqual(told, await agent.events(handle));
  assert.equal(told.at(-1)?.type, 'run.finished');

  // Blobs that only payloads name are found and there.
  assert.deepEqual((await verifyState(root)).findings, []);
  const out = join(root, 'run.tgz');
  const { manifest } = await exportRun({ root, run, out, versions: {} });
  assert.ok(manifest.files.filter(({ path }) => path.startsWith('blobs/')).length >= 3);
  assert.deepEqual((await verifyExport(out, root)).findings, []);
});

test('a mirror goes on when the server was killed during its long poll', async (t) => {
  const root = await createFolder(t);
  const cli = process.env['AGENT_TEMPORAL_CLI'] ?? '';
  const port = await findFreePort();
  const address = `127.0.0.1:${port}`;
  const start = async () => {
    const file = join(root, 'temporal.db');
    const kill = await startServer(cli, port, ['--db-filename', file, '--log-level', 'never']);
    t.after(kill);
    return kill;
  };

  const killServer = await start();
  const connection = await Connection.connect({ address });
  t.after(() => connection.close());
  const client = new Client({ connection });
  // No worker: signals are events enough.
  const handle = await client.workflow.start('agentRun', {
    workflowId: 'run-kept',
    taskQueue: 'q',
  });
  const file = toRunLog(root, 'kept');
  const { end } = startMirror(t, address, root);
  await handle.signal(sayToRun, 'before', 'tester');
  await waitFor('4 lines', () => countLines(file) === 4);

  await killServer();
  await start();
  await handle.signal(resumeRun, 'tester');
  await waitFor('5 lines', () => countLines(file) === 5);
  await handle.terminate('enough');
  await waitFor('the whole log', () => isComplete(file));
  await end('SIGTERM');

  assert.deepEqual(
    (await readAll(file)).map(({ kind, type }) => type ?? kind),
    [
      'header',
      'WORKFLOW_EXECUTION_STARTED',
      'WORKFLOW_TASK_SCHEDULED',
      'WORKFLOW_EXECUTION_SIGNALED',
      'WORKFLOW_EXECUTION_SIGNALED',
      'WORKFLOW_EXECUTION_TERMINATED',
      'close',
    ],
  );
  assert.equal((await verifyChain(file, 'run kept')).ok, true);
});

test('a reset is mirrored with a link, and the copied events are those of its base', async (t) => {
  const root = await createFolder(t);
  const address = process.env['TEMPORAL_TEST_ADDRESS'] ?? '';
  const connection = await Connection.connect({ address });
  t.after(() => connection.close());
  const client = new Client({ connection });
  const { workflowService: service } = connection;
  const namespace = 'default';
  const workflowId = `run-reset-${process.pid}`;
  const taskQueue = { name: workflowId };
  const { firstExecutionRunId: base } = await client.workflow.start('agentRun', {
    workflowId,
    taskQueue: workflowId,
  });
  // A workflow task that decides nothing: something to reset to.
  const { taskToken } = await connection.withDeadline(Date.now() + 20_000, () =>
    service.pollWorkflowTaskQueue({ namespace, taskQueue }),
  );
  await service.respondWorkflowTaskCompleted({ namespace, taskToken, commands: [] });
  const handle = client.workflow.getHandle(workflowId);
  await handle.signal(sayToRun, 'again', 'tester');

  const run = fromWorkflowId(workflowId);
  const file = toRunLog(root, run);
  await mkdir(join(root, 'mirror'));
  await writeFile(join(root, 'mirror', workflowId), '');
  const { end } = startMirror(t, address, root);
  await waitFor('6 lines', () => countLines(file) >= 6);
  const answer = (await service.resetWorkflowExecution({
    namespace,
    workflowExecution: { workflowId, runId: base },
    // The type asks for a Long; a number is encoded alike.
    workflowTaskFinishEventId: 4 as never,
    reason: 'again',
    requestId: workflowId,
  })) as unknown as { readonly runId: string };
  const reset = answer.runId;
  await waitFor('a link', async () => (await readAll(file)).some(({ kind }) => kind === 'link'));
  await handle.terminate('enough');
  await waitFor('the whole log', () => isComplete(file));
  await end('SIGTERM');

  const records = await readAll(file);
  const link = records.find(({ kind }) => kind === 'link');
  assert.ok(link !== undefined);
  const { reason, base: of, baseId, to } = link;
  assert.deepEqual([reason, of, baseId, to], ['reset', base, 3, reset]);
  const [header] = records;
  assert.match(String(header?.['server']), /^\d+\./);
  assert.match(String(header?.['sdk']), /^\d+\./);
  const executions = await readExecutions(file, (event) => event);
  for (const execution of [base, reset]) {
    assert.deepEqual(
      [...(executions.get(execution)?.values() ?? [])],
      await fetchHistory(client, workflowId, execution),
    );
  }
  assert.equal((await verifyChain(file, `run ${run}`)).ok, true);

  const env = { AGENT_STATE_DIR: root, TEMPORAL_ADDRESS: address };
  const equal = await runAgent(['audit', 'reconcile', run, '--json'], { env });
  assert.equal(equal.code, 0, equal.stdout + equal.stderr);
  const { ok, executions: compared } = JSON.parse(equal.stdout) as Record<string, unknown>;
  assert.deepEqual([ok, compared], [true, 2]);
});
