import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';

import { hashOf } from '../../audit/record/blobs.ts';
import { toCanonical } from '../../audit/record/canonical.ts';
import { readCurrentHistory, readExecutions } from '../../audit/verify/executions.ts';
import { verifyChain } from '../../audit/record/chain.ts';
import { createAnchors } from '../../audit/record/anchors/anchors.ts';
import { toKeyFile } from '../../audit/record/keys/signing-key.ts';
import { toWitnessFolder } from '../../audit/record/anchors/witness.ts';
import { MirrorMismatch, mirrorRun } from '../../audit/mirror/mirror.ts';
import { createFolder, readAll } from './folder.ts';
import { playService, toEvent, toServerError, toStart } from './played-service.ts';
import type { Answer } from './played-service.ts';

const quiet = { info: () => undefined, warn: () => undefined };

/** Mirrors run `a` from these answers; until it is complete, or until they are used up. */
const mirror = async (file: string, answers: readonly Answer[], latest?: string) => {
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
    sdk: '4.5.6',
    readServerVersion: () => Promise.resolve('7.8.9'),
    latest,
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
  assert.ok(header !== undefined);
  const { version, sdk, server, node } = header;
  assert.deepEqual(
    [version, sdk, server, node],
    ['1.2.3', '4.5.6', '7.8.9', process.versions.node],
  );
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

test('a history the server no longer has ends in one gap, which closes the mirror', async (t) => {
  const file = await createFile(t);
  await mirror(file, [page(true, started, scheduled)]);
  const gone = toServerError(5, 'workflow execution not found');
  await mirror(file, [gone]);
  assert.equal(await readShape(file), 'header 1 2 gap close');
  const service = await mirror(file, [page(false, started, scheduled, completed(3))], 'e2');
  assert.deepEqual(service.requests, []);
  assert.equal(await readShape(file), 'header 1 2 gap close');
});

test('a mirror killed between a gap and its close says the gap once', async (t) => {
  const file = await createFile(t);
  await mirror(file, [page(true, started, scheduled)]);
  const gone = toServerError(5, 'workflow execution not found');
  await mirror(file, [gone]);
  const lines = (await readFile(file, 'utf8')).split('\n');
  await writeFile(file, `${lines.slice(0, -2).join('\n')}\n`);
  // As if nothing had been anchored yet.
  await rm(join(dirname(file), 'anchors'), { recursive: true });
  await rm(toWitnessFolder(dirname(file), toKeyFile()), { recursive: true });
  await mirror(file, [gone]);
  assert.equal(await readShape(file), 'header 1 2 gap close');
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

const unnumbered = (event: ReturnType<typeof toEvent>) => ({ ...event, taskId: '0' });

test('of a server without task ids, a workflow task is held back until another event follows', async (t) => {
  const file = await createFile(t);
  const [one, two] = [unnumbered(started), unnumbered(scheduled)];
  const three = unnumbered(toEvent(3, 'WORKFLOW_TASK_STARTED'));
  await mirror(file, [page(true, one, two), page(true, three)]);
  assert.equal(await readShape(file), 'header 1');
  // Handed out again from the start, and on from a token; taken back for a signal.
  await mirror(file, [
    page(true, one, two),
    page(true),
    page(true, three),
    page(true, unnumbered(signalled(3))),
  ]);
  assert.equal(await readShape(file), 'header 1');
  await mirror(file, [
    page(true, one, two),
    page(true, unnumbered(signalled(3))),
    page(false, unnumbered(completed(4))),
  ]);
  assert.equal(await readShape(file), 'header 1 2 3 4 close');
});

const terminated = (id: number) => toEvent(id, 'WORKFLOW_EXECUTION_TERMINATED', {});
const resetMark = (id: number, baseRunId: string, newRunId: string) =>
  toEvent(
    id,
    'WORKFLOW_TASK_FAILED',
    { cause: 'WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW', baseRunId, newRunId },
    String(2_000_000 + id),
  );

const scheduled4 = () => toEvent(4, 'WORKFLOW_TASK_SCHEDULED');
const base = page(false, started, scheduled, signalled(3), terminated(4));
const reset = [started, scheduled, resetMark(3, 'e1', 'e2')];

test('a reset is followed with a link, and what it copied is not written again', async (t) => {
  const file = await createFile(t);
  await mirror(file, [
    base,
    page(false, ...reset),
    page(false, ...reset, signalled(4), completed(5)),
  ]);
  assert.equal(await readShape(file), 'header 1 2 3 4 link 3 4 5 close');
  const link = (await readAll(file)).find((record) => record['kind'] === 'link');
  assert.ok(link !== undefined);
  const { reason, from, to, base: of, baseId, baseHash } = link;
  assert.deepEqual([reason, from, to, of, baseId], ['reset', 'e1', 'e2', 'e1', 2]);
  assert.equal(baseHash, hashOf(toCanonical(scheduled)));

  const executions = await readExecutions(file, (event) => event);
  assert.deepEqual(
    [...(executions.get('e2') ?? [])],
    [...reset, signalled(4), completed(5)].map((event, at) => [at + 1, event]),
  );
  const current: unknown[] = [];
  for await (const event of readCurrentHistory(file)) current.push(event);
  assert.deepEqual(current, [...reset, signalled(4), completed(5)]);
});

test('a reset is gone on with wherever the mirror was cut off', async (t) => {
  const file = await createFile(t);
  await mirror(file, [base, page(false, ...reset)]);
  assert.equal(await readShape(file), 'header 1 2 3 4 link');
  await mirror(file, [page(true, ...reset)]);
  await mirror(file, [page(false, ...reset, completed(4))]);
  assert.equal(await readShape(file), 'header 1 2 3 4 link 3 4 close');
});

test('a reset that copied other events than the mirror has is reported and not followed', async (t) => {
  const file = await createFile(t);
  const other = toEvent(2, 'WORKFLOW_TASK_SCHEDULED', { attempt: 7 });
  await assert.rejects(
    mirror(file, [base, page(false, started, other, resetMark(3, 'e1', 'e2'))]),
    MirrorMismatch,
  );
  assert.equal(await readShape(file), 'header 1 2 3 4');
});

test('a termination that was no reset closes the mirror', async (t) => {
  const file = await createFile(t);
  await mirror(file, [base, base]);
  assert.equal(await readShape(file), 'header 1 2 3 4 close');
});

test('a completed run that is reset later goes on after its close', async (t) => {
  const file = await createFile(t);
  await mirror(file, [page(false, started, scheduled, signalled(3), completed(4))]);
  const again = page(false, ...reset, completed(4));
  const service = await mirror(file, [again, again], 'e2');
  assert.equal(service.requests.length, 2);
  assert.equal(await readShape(file), 'header 1 2 3 4 close link 3 4 close');
  assert.deepEqual((await mirror(file, [], 'e2')).requests, []);
});

test('a reset of a reset, before its own mark, is linked to its base', async (t) => {
  const file = await createFile(t);
  const second = [started, scheduled, resetMark(3, 'e1', 'e2'), scheduled4(), terminated(5)];
  const third = [...second.slice(0, 3), resetMark(4, 'e2', 'e3')];
  await mirror(file, [
    base,
    page(false, ...third),
    page(false, ...second),
    page(false, ...second),
    page(false, ...third),
    page(false, ...third, completed(5)),
  ]);
  assert.equal(await readShape(file), 'header 1 2 3 4 link 3 4 5 link 4 5 close');
  const current: unknown[] = [];
  for await (const event of readCurrentHistory(file)) current.push(event);
  assert.deepEqual(current, [...third, completed(5)]);
});

test('a mirror that comes after a reset begins with its base, or with a gap where that is gone', async (t) => {
  const file = await createFile(t);
  const first = page(false, ...reset, completed(4));
  await mirror(file, [first, base, first, first]);
  assert.equal(await readShape(file), 'header 1 2 3 4 link 3 4 close');
  const late = await createFile(t);
  await mirror(late, [first, toServerError(5, 'workflow execution not found')]);
  assert.equal(await readShape(late), 'header gap 1 2 3 4 close');
  assert.equal((await readAll(late)).at(2)?.['execution'], 'e2');
});
