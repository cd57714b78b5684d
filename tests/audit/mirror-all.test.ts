import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import { existsSync, symlinkSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { test } from 'node:test';
import type { TestContext } from 'node:test';

import { createAnchors } from '../../audit/record/anchors/anchors.ts';
import { mirrorAll } from '../../audit/mirror/mirror-all.ts';
import { abortWith, limitPolls } from '../../audit/mirror/polls.ts';
import { createFolder, readAll } from './folder.ts';
import { playService, toEvent, toServerError, toStart } from './played-service.ts';
import type { Answer, PlayedService } from './played-service.ts';
import { waitFor } from '../setup/wait-for.ts';

const complete: Answer = {
  events: [toStart('e1'), toEvent(2, 'WORKFLOW_EXECUTION_COMPLETED')],
  open: false,
};
const unfinished: Answer = { events: [toStart('e1')], open: true };
const gone = toServerError(5, 'workflow execution not found');
const away = toServerError(14, 'connection refused');

interface Told {
  readonly facts: object;
  readonly message: string;
}

/** A mirror of every run over a played-back server, stopped when the test ends at the latest. */
const start = async (
  t: TestContext,
  root: string,
  answers: readonly Answer[],
  listed: PlayedService['listed'],
) => {
  const stop = new AbortController();
  const service = playService(answers, stop.signal);
  service.listed = listed;
  const warnings: Told[] = [];
  const inbox = join(root, 'mirror');
  await mkdir(inbox, { recursive: true });
  const mirroring = mirrorAll({
    service,
    namespace: 'default',
    root,
    inbox,
    signal: stop.signal,
    log: { info: () => undefined, warn: (facts, message) => warnings.push({ facts, message }) },
    version: '1.2.3',
    anchors: createAnchors(root),
  });
  const end = async (): Promise<void> => {
    stop.abort();
    await mirroring;
  };
  t.after(end);
  return { service, inbox, warnings, end };
};

const readKinds = async (file: string): Promise<string> =>
  existsSync(file) ? (await readAll(file)).map((record) => String(record['kind'])).join(' ') : '';

test('a run announced before it exists is mirrored once it does, and its notice removed', async (t) => {
  const root = await createFolder(t);
  const file = join(root, 'run-a.jsonl');
  const { inbox, service } = await start(t, root, [gone, gone, complete], []);
  await writeFile(join(inbox, 'run-a'), '');
  await waitFor('two requests', () => service.requests.length >= 2);
  assert.equal(existsSync(file), false);
  await waitFor(
    'header event event close',
    async () => (await readKinds(file)) === 'header event event close',
  );
  await waitFor('the notice to go', () => !existsSync(join(inbox, 'run-a')));
});

test('a run found by visibility is mirrored through errors of the server', async (t) => {
  const root = await createFolder(t);
  const file = join(root, 'run-a.jsonl');
  await start(t, root, [unfinished, away, away, complete], ['run-a']);
  await waitFor(
    'header event event close',
    async () => (await readKinds(file)) === 'header event event close',
  );
});

test('an unfinished mirror of a run the server forgot gets its gap at the next start', async (t) => {
  const root = await createFolder(t);
  const file = join(root, 'run-a.jsonl');
  const first = await start(t, root, [unfinished], ['run-a']);
  await first.service.drained;
  await first.end();
  const second = await start(t, root, [gone], []);
  await waitFor(
    'header event gap close',
    async () => (await readKinds(file)) === 'header event gap close',
  );
  await second.end();
});

test('a complete mirror is not asked about again', async (t) => {
  const root = await createFolder(t);
  const file = join(root, 'run-a.jsonl');
  const first = await start(t, root, [complete], ['run-a']);
  await waitFor(
    'header event event close',
    async () => (await readKinds(file)) === 'header event event close',
  );
  await first.end();
  // A mirror that was killed right after its last line held the lock.
  symlinkSync('2147483647 gone 1', `${file}.lock`);
  const { service, inbox, end } = await start(t, root, [], ['run-a']);
  await writeFile(join(inbox, 'run-a'), '');
  await waitFor('the notice to go', () => !existsSync(join(inbox, 'run-a')));
  await end();
  assert.deepEqual(service.requests, []);
  assert.deepEqual(
    (await readdir(root)).filter((name) => name.includes('.lock')),
    [],
  );
});

test('a run that was reset after its mirror was complete is mirrored again', async (t) => {
  const root = await createFolder(t);
  const file = join(root, 'run-a.jsonl');
  const first = await start(t, root, [complete], [['run-a', 'e1']]);
  await waitFor(
    'header event event close',
    async () => (await readKinds(file)) === 'header event event close',
  );
  await first.end();
  const mark = toEvent(2, 'WORKFLOW_TASK_FAILED', {
    cause: 'WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW',
    baseRunId: 'e1',
    newRunId: 'e2',
  });
  const events = [toStart('e1'), mark, toEvent(3, 'WORKFLOW_EXECUTION_COMPLETED')];
  const again: Answer = { events, open: false };
  await start(
    t,
    root,
    [again, again],
    [
      ['run-a', 'e2'],
      ['run-a', 'e1'],
    ],
  );
  await waitFor(
    'both executions',
    async () => (await readKinds(file)) === 'header event event close link event event close',
  );
});

test('a workflow id cannot name a file outside the state folder', async (t) => {
  const outer = await createFolder(t);
  const root = join(outer, 'state');
  const file = join(root, 'run-a.jsonl');
  const { warnings } = await start(
    t,
    root,
    [complete],
    ['run-/../../out', 'run-..', 'other', 'run-a'],
  );
  await waitFor(
    'header event event close',
    async () => (await readKinds(file)) === 'header event event close',
  );
  assert.deepEqual(await readdir(outer), ['state']);
  assert.equal(
    warnings.filter(({ message }) => message === 'run has no name for a file').length,
    3,
  );
});

test('a changed mirror is reported and left as it is', async (t) => {
  const root = await createFolder(t);
  const file = join(root, 'run-a.jsonl');
  await writeFile(file, '{"kind":"header"}\n{"kind":"close"}\nnot a record\n');
  const { warnings, service } = await start(t, root, [], ['run-a']);
  await waitFor('the warning', () =>
    warnings.some(({ message }) => message === 'run is not mirrored'),
  );
  assert.deepEqual(service.requests, []);
});

test('polls beyond the limit wait their turn, in order', async () => {
  const begun: string[] = [];
  const answers: (() => void)[] = [];
  const limited = limitPolls(
    {
      async getWorkflowExecutionHistory({ execution }) {
        begun.push(execution.workflowId);
        await new Promise<void>((resolve) => answers.push(resolve));
        return {};
      },
    },
    2,
  );
  const ask = (workflowId: string): Promise<object> =>
    limited.getWorkflowExecutionHistory({
      namespace: 'default',
      execution: { workflowId },
      waitNewEvent: true,
    });
  const polls = ['a', 'b', 'c', 'd'].map(ask);
  await setTimeout(0);
  assert.deepEqual(begun, ['a', 'b']);
  for (let given = 0; given < polls.length; given++) {
    answers[given]?.();
    await polls[given];
    await setTimeout(0);
    assert.deepEqual(begun, ['a', 'b', 'c', 'd'].slice(0, given + 3));
  }
});

test('a call ends with the signal, and leaves nothing at it', async () => {
  const stop = new AbortController();
  const answers = Array.from({ length: 20 }, (_, index) =>
    abortWith(stop.signal, () => Promise.resolve(index)),
  );
  assert.deepEqual(await Promise.all(answers), [...answers.keys()]);
  assert.equal(getEventListeners(stop.signal, 'abort').length, 0);
  const hanging = abortWith(stop.signal, (own) => once(own, 'abort'));
  stop.abort(new Error('enough'));
  await hanging;
  assert.equal(getEventListeners(stop.signal, 'abort').length, 0);
  await assert.rejects(
    abortWith(stop.signal, () => Promise.resolve('late')),
    /enough/,
  );
});
