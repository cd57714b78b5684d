import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { openChain } from '../../audit/record/chain.ts';
import { createProjection, readRunEvents } from '../../audit/events/events.ts';
import type { RunEvent } from '../../audit/events/events.ts';
import type { HistoryEventJson } from '../../audit/mirror/history-json.ts';
import { createFolder } from './folder.ts';
import { actRequest, actResult, approval, input, tellHistory, toAnswer } from './told-history.ts';

const project = (events: readonly HistoryEventJson[]): RunEvent[] => {
  const projection = createProjection('a');
  return events.flatMap((event) => projection.apply(event));
};

/** Types of the events, without those that follow every model answer and action, or say what is under way. */
const typesOf = (events: readonly RunEvent[]): string =>
  events
    .map(({ type }) => type)
    .filter((type) => type !== 'budget' && type !== 'phase')
    .join(' ');

const find = <T extends RunEvent['type']>(
  events: readonly RunEvent[],
  type: T,
): Extract<RunEvent, { type: T }> => {
  const found = events.find((event) => event.type === type);
  assert.ok(found, `no ${type} in ${typesOf(events)}`);
  return found as Extract<RunEvent, { type: T }>;
};

const result = {
  status: 'done',
  exitCode: 0,
  summary: 'All done.',
  usage: { steps: 1, toolCalls: 1, inputTokens: 1, outputTokens: 1, workMs: 1 },
  changes: ['a.txt'],
  report: 'sha256:9',
};

const tellRun = () => {
  const story = tellHistory();
  story.start();
  story.plan('First', 'Second');
  story.think('s1');
  story.activity('act', actRequest, actResult);
  story.think('s1', { finish: { summary: 'ok', evidence: '' } });
  const accepted = { verdict: 'accept', notes: 'sha256:5', head: 'Good.' };
  story.activity('review', { step: 's1', scope: 'step' }, toAnswer(accepted));
  story.think('s2');
  story.complete(result);
  return story;
};

test('a run is told from start to end, numbered without a gap', () => {
  const events = project(tellRun().events);
  assert.equal(
    typesOf(events),
    'run.started plan.updated step.started thought tool.requested decision tool.started tool.output tool.finished ' +
      'thought review step.started thought run.finished',
  );
  assert.deepEqual(
    events.map(({ seq }) => seq),
    events.map((_, index) => index + 1),
  );
  for (const { v, run, time } of events) {
    assert.deepEqual([v, run, time.slice(0, 10)], [1, 'a', '2026-10-01']);
  }
  const { status, exitCode, changes } = find(events, 'run.finished');
  assert.deepEqual([status, exitCode, changes], ['done', 0, ['a.txt']]);
});

test('the same history gives the same events, read at once, bit by bit or from a mirror', async (t) => {
  const { events } = tellRun();
  const file = join(await createFolder(t), 'run-a.jsonl');
  const chain = await openChain(file, 'run a');
  await chain.append([{ kind: 'header', run: 'a' }]);
  for (const event of events) await chain.append([{ kind: 'event', execution: 'e1', event }]);
  await chain.append([{ kind: 'close' }]);
  await chain.close();
  const read: RunEvent[] = [];
  for await (const event of readRunEvents(file)) read.push(event);
  assert.deepEqual(read, project(events));
  assert.deepEqual(project(events.slice(0, 9)), read.slice(0, project(events.slice(0, 9)).length));
});

test('usage is summed over model answers and actions', () => {
  const story = tellHistory();
  story.start();
  story.plan('First');
  story.think('s1');
  story.activity('act', actRequest, actResult);
  story.activity(
    'think',
    { step: 's1' },
    { kind: 'invalid', reason: 'x', usage: { inputTokens: 1, outputTokens: 2 }, ms: 3 },
  );
  const last = project(story.events).findLast(({ type }) => type === 'budget');
  assert.deepEqual(last?.type === 'budget' && last.usage, {
    steps: 1,
    toolCalls: 1,
    inputTokens: 201,
    outputTokens: 22,
    workMs: 33,
    outputBytes: 14,
    modelCalls: 3,
    tools: { write_file: { calls: 1, workMs: 20, outputBytes: 14 } },
    unpriced: ['m'],
  });
});

test('a run that goes on in another execution neither starts nor begins its step again', () => {
  const story = tellHistory();
  story.start();
  story.plan('First');
  story.think('s1');
  story.continueAsNew();
  story.think('s1');
  story.complete(result);
  const events = project(story.events);
  assert.equal(
    typesOf(events),
    'run.started plan.updated step.started thought thought run.finished',
  );
  assert.equal(events.at(-1)?.seq, events.length);
});

test('an activity of the last execution is not taken for one with the same id in this', () => {
  const story = tellHistory();
  story.start();
  story.plan('First');
  story.continueAsNew();
  story.add('ACTIVITY_TASK_COMPLETED', 'activityTaskCompleted', { scheduledEventId: '2' });
  assert.equal(typesOf(project(story.events)), 'run.started plan.updated');
});

test('a step tried again starts again, a model asked again does not start it', () => {
  const story = tellHistory();
  story.start();
  story.plan('First');
  const away = { kind: 'unavailable', address: 'http://127.0.0.1:1', reason: 'refused' };
  story.activity('think', { step: 's1' }, away);
  story.think('s1');
  const retry = { verdict: 'retry', notes: 'sha256:5', head: 'Again.' };
  story.activity('review', { step: 's1', scope: 'step' }, toAnswer(retry));
  story.think('s1');
  const events = project(story.events);
  assert.deepEqual(
    events.flatMap((event) => (event.type === 'step.started' ? [event.attempt] : [])),
    [1, 2],
  );
  const { address, reason } = find(events, 'model.waiting');
  assert.deepEqual({ kind: 'unavailable', address, reason }, away);
});

const asked = { ...actResult, verdict: 'ask' as const, rule: 'files.ask', ms: 1 };

test('an action that is asked about is requested once and decided twice', () => {
  const story = tellHistory();
  story.start();
  story.activity('act', actRequest, asked);
  story.answer(approval);
  story.activity('act', { ...actRequest, approval }, actResult);
  const events = project(story.events);
  assert.equal(
    typesOf(events),
    'run.started tool.requested decision approval.requested approval.answered decision tool.started tool.output tool.finished',
  );
  const request = find(events, 'approval.requested');
  assert.deepEqual(
    [request.request, request.digest, request.rule],
    ['a1', asked.digest, 'files.ask'],
  );
  const answered = find(events, 'approval.answered');
  assert.deepEqual([answered.request, answered.answer, answered.by], ['a1', 'approve', 'tester']);
});

test('an answer by standing order is told as well', () => {
  const story = tellHistory();
  story.start({ ...input, approve: 'auto' });
  story.activity('act', actRequest, asked);
  const order = { ...approval, by: 'tester (--approve auto)' };
  story.activity('act', { ...actRequest, approval: order }, actResult);
  const events = project(story.events);
  assert.equal(find(events, 'approval.answered').by, 'tester (--approve auto)');
  assert.equal(events.filter(({ type }) => type === 'approval.answered').length, 1);
});

test('asks are numbered over the whole run, as the workflow numbers them', () => {
  const story = tellHistory();
  story.start();
  story.activity('act', actRequest, asked);
  story.answer(approval);
  // What was approved has changed meanwhile: asked about again.
  story.activity('act', { ...actRequest, approval }, asked);
  story.continueAsNew();
  story.activity('act', { ...actRequest, seq: 2 }, asked);
  assert.deepEqual(
    project(story.events).flatMap((event) =>
      event.type === 'approval.requested' ? [`${event.call} ${event.request}`] : [],
    ),
    ['1 a1', '1 a2', '2 a3'],
  );
});

test('a denied action never starts', () => {
  const story = tellHistory();
  story.start();
  story.activity('act', actRequest, { ...actResult, verdict: 'deny', ok: false });
  const events = project(story.events);
  assert.equal(typesOf(events), 'run.started tool.requested decision tool.output tool.finished');
  assert.equal(find(events, 'tool.finished').ok, false);
});

test('an action whose activity fails for good is finished', () => {
  const story = tellHistory();
  story.start();
  story.failedActivity('act', actRequest, 'ENOSPC: no space left on device');
  const events = project(story.events);
  assert.equal(typesOf(events), 'run.started tool.requested tool.output tool.finished');
  assert.equal(find(events, 'tool.output').text, 'ENOSPC: no space left on device');
  assert.equal(find(events, 'tool.finished').ok, false);
});

test('pause and resume are told when they change something', () => {
  const story = tellHistory();
  story.start();
  story.signal('resume', 'nobody');
  story.signal('pause', 'ann');
  story.signal('pause', 'bob');
  story.continueAsNew();
  story.signal('resume', 'bob');
  story.signal('say', 'use vitest', 'ann');
  story.signal('cancel', 'ann');
  const events = project(story.events);
  assert.equal(typesOf(events), 'run.started run.paused run.resumed said');
  assert.equal(find(events, 'run.paused').by, 'ann');
  assert.equal(find(events, 'said').text, 'use vitest');
});

test('a question to a person is told with its number', () => {
  const story = tellHistory();
  story.start();
  story.think('s1', { question: { id: 'c9', text: 'Which port?' } });
  const { request, question } = find(project(story.events), 'input.requested');
  assert.deepEqual([request, question], ['q1', 'Which port?']);
});

for (const [type, key, attributes, status, exitCode, summary] of [
  ['TERMINATED', 'Terminated', { reason: 'by hand' }, 'cancelled', 130, /by hand/],
  ['CANCELED', 'Canceled', {}, 'cancelled', 130, /outside/],
  ['FAILED', 'Failed', { failure: { message: 'broken' } }, 'failed', 1, /broken/],
  ['TIMED_OUT', 'TimedOut', {}, 'failed', 1, /./],
] as const) {
  test(`a run that the server ended as ${type} is ${status}`, () => {
    const story = tellHistory();
    story.start();
    story.add(`WORKFLOW_EXECUTION_${type}`, `workflowExecution${key}`, attributes);
    const finished = find(project(story.events), 'run.finished');
    assert.deepEqual([finished.status, finished.exitCode], [status, exitCode]);
    assert.match(finished.summary, summary);
  });
}

for (const [status, resumes] of [
  ['done', false],
  ['budget', true],
  ['stuck', true],
  ['failed', true],
  ['cancelled', true],
] as const) {
  test(`the end as ${status} ${resumes ? 'names' : 'needs no'} command to go on with`, () => {
    const story = tellHistory();
    story.start();
    story.complete({ ...result, status });
    const { resume } = find(project(story.events), 'run.finished');
    const command = `agent run -C '/work/space here' 'Don'\\''t panic'`;
    assert.equal(resume, resumes ? command : undefined);
  });
}

test('payloads that are not plain JSON are passed over, not fallen over', () => {
  const story = tellHistory();
  const secret = {
    payloads: [{ metadata: { encoding: 'YmluYXJ5L2VuY3J5cHRlZA==' }, data: 'AAEC' }],
  };
  const scheduled = (name: string): string =>
    story.add('ACTIVITY_TASK_SCHEDULED', 'activityTaskScheduled', {
      activityType: { name },
      input: secret,
    });
  story.add('WORKFLOW_EXECUTION_STARTED', 'workflowExecutionStarted', { input: secret });
  for (const name of ['plan', 'think', 'act', 'review']) {
    story.add('ACTIVITY_TASK_COMPLETED', 'activityTaskCompleted', {
      scheduledEventId: scheduled(name),
      result: secret,
    });
  }
  story.add('WORKFLOW_EXECUTION_SIGNALED', 'workflowExecutionSignaled', {
    signalName: 'say',
    input: secret,
  });
  story.add('WORKFLOW_EXECUTION_COMPLETED', 'workflowExecutionCompleted', { result: secret });
  assert.equal(project(story.events).at(-1)?.type, 'run.finished');
});

/** Phases with their steps, in order. */
const phasesOf = (events: readonly RunEvent[]): string =>
  events
    .flatMap((event) =>
      event.type === 'phase' ? [`${event.phase} ${event.step ?? event.holder ?? ''}`.trim()] : [],
    )
    .join(', ');

test('phases tell what is under way, each once', () => {
  const story = tellHistory();
  const busy = { ok: false, reason: 'Run b has it.', busy: 'b' };
  story.start();
  story.activity('openWorkspace', { run: 'a', workspace: '/w' }, busy);
  story.activity('openWorkspace', { run: 'a', workspace: '/w' }, busy);
  story.plan('First');
  story.activity('ensureWorkspace', { checkpoint: { step: 's1', state: {} } }, { tree: 't' });
  story.think('s1');
  story.activity('act', actRequest, actResult);
  story.think('s1', { finish: { summary: 'ok', evidence: '' } });
  const accepted = toAnswer({ verdict: 'accept', notes: 'sha256:5', head: 'Good.' });
  story.activity('review', { step: 's1', scope: 'step' }, accepted);
  story.activity('review', { scope: 'run' }, accepted);
  story.activity('closeRun', {}, {});
  story.complete(result);
  assert.equal(
    phasesOf(project(story.events)),
    'opening, waiting-for-workspace b, planning, snapshot s1, thinking s1, reviewing s1, reviewing, closing',
  );
});

test('each try of a model that is away is told', () => {
  const story = tellHistory();
  const away = { kind: 'unavailable', address: 'http://m', reason: 'refused' };
  story.start();
  story.plan('First');
  story.activity('think', { step: 's1' }, away);
  story.activity('think', { step: 's1' }, away);
  story.think('s1');
  assert.equal(phasesOf(project(story.events)), 'planning, thinking s1, thinking s1, thinking s1');
});
