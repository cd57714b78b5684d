import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';

import { verifyChain } from '../../audit/chain.ts';
import { createAnchors } from '../../audit/anchors.ts';
import { MirrorMismatch, mirrorRun } from '../../audit/mirror.ts';
import { createFolder, readAll } from './folder.ts';
import { playService, toEvent, toServerError, toStart } from './played-service.ts';
import type { Answer } from './played-service.ts';

const quiet = { info: () => undefined, warn: () => undefined };

/** Mirrors run `a` from these answers; until it is complete, or until they are used up. */
const mirror = async (file: string, answers: readonly Answer[]) => {
  const stop = new AbortController();
  const service = playService(answers, stop.signal);
  const mirroring = mirrorRun({
    service,
    namespace: 'default',
    workflowId: 'run-a',
    file,
    signal: stop.signal,
    log: quiet,
    version: '1.2.3',
    anchors: createAnchors(dirname(file)),
  });
  const ended = mirroring.then(
    () => undefined,
    (error: unknown) => (stop.signal.aborted ? undefined : error),
  );
  await Promise.race([ended, service.drained]);
  stop.abort();
  const error = await ended;
  if (error !== undefined) throw error;
  return service;
};

const createFile = async (t: TestContext): Promise<string> =>
  join(await createFolder(t), 'run-a.jsonl');

/** One word a record: `3` for event 3, the kind of any other. */
const readShape = async (file: string): Promise<string> =>
  (await readAll(file))
    .map((record) => String(record['kind'] === 'event' ? record['id'] : record['kind']))
    .join(' ');

const started = toStart('e1');
const scheduled = toEvent(2, 'WORKFLOW_TASK_SCHEDULED');
const signalled = (id: number) => toEvent(id, 'WORKFLOW_EXECUTION_SIGNALED', { signalName: 'say' });
const completed = (id: number) => toEvent(id, 'WORKFLOW_EXECUTION_COMPLETED');
const page = (open: boolean, ...events: ReturnType<typeof toEvent>[]): Answer => ({ events, open });

test('a complete history has header, events and close, and verifies', async (t) => {
  const file = await createFile(t);
  await mirror(file, [page(true, started, scheduled), page(false, completed(3))]);
  assert.equal(await readShape(file), 'header 1 2 3 close');
  assert.equal((await verifyChain(file, 'run a')).ok, true);
  const [header, first] = await readAll(file);
  assert.equal(header?.['workflowId'], 'run-a');
  assert.equal(header?.['version'], '1.2.3');
  assert.deepEqual(first?.['event'], started);
});

test('events not yet durable are left out, and their ids may come back as others', async (t) => {
  const file = await createFile(t);
  const transient = [
    toEvent(3, 'WORKFLOW_TASK_SCHEDULED', {}, '0'),
    toEvent(4, 'WORKFLOW_TASK_STARTED', {}, '0'),
  ];
  await mirror(file, [
    page(true, started, scheduled, ...transient),
    page(true, signalled(3)),
    page(false, completed(4)),
  ]);
  assert.equal(await readShape(file), 'header 1 2 3 4 close');
  const third = (await readAll(file)).find((record) => record['id'] === 3);
  assert.deepEqual(third?.['event'], signalled(3));
});

test('an empty page with a token is asked on from', async (t) => {
  const file = await createFile(t);
  const service = await mirror(file, [
    page(true, started),
    page(true),
    page(true),
    page(false, scheduled, completed(3)),
  ]);
  assert.equal(await readShape(file), 'header 1 2 3 close');
  assert.equal(String(service.requests[3]?.nextPageToken), 'token 3');
});

test('a page without a token does not close a run that has not ended', async (t) => {
  const file = await createFile(t);
  await mirror(file, [page(false, started, scheduled), page(false, started, scheduled)]);
  assert.equal(await readShape(file), 'header 1 2');
});

test('a mirror goes on where its file ends, without a token', async (t) => {
  const file = await createFile(t);
  await mirror(file, [page(true, started, scheduled)]);
  const service = await mirror(file, [page(false, started, scheduled, signalled(3), completed(4))]);
  assert.equal(service.requests[0]?.nextPageToken, undefined);
  assert.equal(await readShape(file), 'header 1 2 3 4 close');
});

test('an event that came back as another one is reported and nothing is written', async (t) => {
  const file = await createFile(t);
  await mirror(file, [page(true, started, scheduled)]);
  const before = await readFile(file, 'utf8');
  const other = toEvent(2, 'WORKFLOW_EXECUTION_SIGNALED', { signalName: 'cancel' });
  await assert.rejects(
    mirror(file, [page(false, started, other, completed(3))]),
    (error) => error instanceof MirrorMismatch && error.message.includes('Event 2'),
  );
  assert.equal(await readFile(file, 'utf8'), before);
});

test('a hole in a page is asked for again from the start', async (t) => {
  const file = await createFile(t);
  const service = await mirror(file, [
    page(true, started, scheduled),
    page(true, completed(4)),
    page(false, started, scheduled, signalled(3), completed(4)),
  ]);
  assert.equal(service.requests[2]?.nextPageToken, undefined);
  assert.equal(await readShape(file), 'header 1 2 3 4 close');
});

test('a hole that the server has itself is recorded as a gap', async (t) => {
  const file = await createFile(t);
  const holed = page(false, started, scheduled, completed(5));
  await mirror(file, [holed, holed, holed]);
  assert.equal(await readShape(file), 'header 1 2 gap 5 close');
  const gap = (await readAll(file)).find((record) => record['kind'] === 'gap');
  assert.deepEqual([gap?.['execution'], gap?.['from'], gap?.['to']], ['e1', 3, 4]);
});

test('a history the server no longer has ends in one gap', async (t) => {
  const file = await createFile(t);
  await mirror(file, [page(true, started, scheduled)]);
  const gone = toServerError(5, 'workflow execution not found');
  for (let times = 1; times <= 2; times++) await mirror(file, [gone]);
  assert.equal(await readShape(file), 'header 1 2 gap');
  await mirror(file, [page(false, started, scheduled, completed(3))]);
  assert.equal(await readShape(file), 'header 1 2 gap 3 close');
});

test('a namespace that is not there says nothing about the history', async (t) => {
  const file = await createFile(t);
  await mirror(file, [page(true, started)]);
  const error = toServerError(5, 'Namespace default is not found.');
  await assert.rejects(mirror(file, [error]), error);
  assert.equal(await readShape(file), 'header 1');
});

test('a run that does not exist leaves no file', async (t) => {
  const file = await createFile(t);
  const gone = toServerError(5, 'workflow not found');
  await assert.rejects(mirror(file, [gone]), gone);
  assert.equal(existsSync(file), false);
  assert.deepEqual(await readdir(join(file, '..')), []);
});

test('a run goes on in another execution after one link, whenever it is cut off', async (t) => {
  const file = await createFile(t);
  const onward = toEvent(2, 'WORKFLOW_EXECUTION_CONTINUED_AS_NEW', { newExecutionRunId: 'e2' });
  const service = await mirror(file, [page(false, started, onward)]);
  assert.equal(service.requests.at(-1)?.execution.runId, 'e2');
  assert.equal(await readShape(file), 'header 1 2 link');
  await mirror(file, []);
  await mirror(file, [page(false, toStart('e2'), completed(2))]);
  assert.equal(await readShape(file), 'header 1 2 link 1 2 close');
  const link = (await readAll(file)).find((record) => record['kind'] === 'link');
  assert.deepEqual([link?.['from'], link?.['to']], ['e1', 'e2']);
});

test('a complete mirror asks the server nothing', async (t) => {
  const file = await createFile(t);
  await mirror(file, [page(false, started, completed(2))]);
  const before = await readFile(file, 'utf8');
  const service = await mirror(file, []);
  assert.deepEqual(service.requests, []);
  assert.equal(await readFile(file, 'utf8'), before);
});

test('a mirror that comes late begins with the run’s first execution', async (t) => {
  const file = await createFile(t);
  const second = toEvent(1, 'WORKFLOW_EXECUTION_STARTED', {
    originalExecutionRunId: 'e2',
    firstExecutionRunId: 'e1',
  });
  const onward = toEvent(2, 'WORKFLOW_EXECUTION_CONTINUED_AS_NEW', { newExecutionRunId: 'e2' });
  const service = await mirror(file, [
    page(true, second),
    page(false, started, onward),
    page(false, second, completed(2)),
  ]);
  assert.deepEqual(
    service.requests.map(({ execution }) => execution.runId),
    [undefined, 'e1', 'e2'],
  );
  assert.equal(await readShape(file), 'header 1 2 link 1 2 close');
});

test('a first execution the server no longer has leaves a gap', async (t) => {
  const file = await createFile(t);
  const second = toEvent(1, 'WORKFLOW_EXECUTION_STARTED', {
    originalExecutionRunId: 'e2',
    firstExecutionRunId: 'e1',
  });
  const gone = toServerError(5, 'workflow execution not found');
  await mirror(file, [page(false, second, completed(2)), gone]);
  assert.equal(await readShape(file), 'header gap 1 2 close');
});
