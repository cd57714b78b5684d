import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';

import { openChain } from '../../audit/record/chain.ts';
import type { HistoryEventJson } from '../../audit/mirror/history-json.ts';
import { reconcileRun } from '../../audit/verify/reconcile.ts';
import { createFolder } from './folder.ts';
import { toEvent, toStart } from './played-service.ts';

const scheduled = toEvent(2, 'WORKFLOW_TASK_SCHEDULED');
const signalled = (id: number) => toEvent(id, 'WORKFLOW_EXECUTION_SIGNALED', { signalName: 'say' });
const onward = toEvent(3, 'WORKFLOW_EXECUTION_CONTINUED_AS_NEW', { newExecutionRunId: 'e2' });
const second = toEvent(1, 'WORKFLOW_EXECUTION_STARTED', {
  originalExecutionRunId: 'e2',
  firstExecutionRunId: 'e1',
  continuedExecutionRunId: 'e1',
});
const completed = (id: number) => toEvent(id, 'WORKFLOW_EXECUTION_COMPLETED');

const first = [toStart('e1'), scheduled, onward];
const last = [second, scheduled, signalled(3), completed(4)];

const toRecords = (execution: string, events: readonly HistoryEventJson[]): object[] =>
  events.map((event) => ({ kind: 'event', execution, id: Number(event.eventId), event }));

const whole = [
  { kind: 'header' },
  ...toRecords('e1', first),
  { kind: 'link', from: 'e1', to: 'e2' },
  ...toRecords('e2', last),
  { kind: 'close' },
];

type Histories = Readonly<Record<string, readonly HistoryEventJson[]>>;
const server: Histories = { e1: first, e2: last };

async function* toPages(events: readonly HistoryEventJson[]) {
  for (const event of events) yield await Promise.resolve([event]);
}

const reconcile = async (
  t: TestContext,
  records: readonly object[],
  histories: Histories,
  latest: string | undefined = 'e2',
) => {
  const file = join(await createFolder(t), 'run-a.jsonl');
  const chain = await openChain(file, 'run a');
  await chain.append(records);
  await chain.close();
  return await reconcileRun({
    file,
    readHistory: (execution = latest) => {
      const events = histories[execution];
      return Promise.resolve(events === undefined ? undefined : toPages(events));
    },
  });
};

test('a mirror that is what Temporal has, over all executions, has no findings', async (t) => {
  assert.deepEqual(await reconcile(t, whole, server), {
    executions: 2,
    compared: 7,
    findings: [],
    notes: [],
  });
});

for (const [what, records, histories, expected] of [
  [
    'a changed event',
    whole,
    { ...server, e1: [toStart('e1'), toEvent(2, 'TIMER_STARTED'), onward] },
    ['different e1 2 TIMER_STARTED'],
  ],
  [
    'an event left out in the middle, and the end',
    whole.filter((_, at) => ![2, 8].includes(at)),
    server,
    ['missing e1 2 WORKFLOW_TASK_SCHEDULED', 'missing e2 4 WORKFLOW_EXECUTION_COMPLETED'],
  ],
  [
    'an event too many',
    whole,
    { ...server, e1: [toStart('e1'), onward] },
    ['extra e1 2 WORKFLOW_TASK_SCHEDULED'],
  ],
  [
    'an execution left out',
    [...whole.slice(0, 4), { kind: 'close' }],
    server,
    last.map(
      (event) => `missing e2 ${event.eventId} ${event.eventType.replace('EVENT_TYPE_', '')}`,
    ),
  ],
] as const) {
  test(`${what} is found by execution and event`, async (t) => {
    const { findings } = await reconcile(t, records, histories);
    assert.deepEqual(
      findings
        .map(({ kind, execution, event, type }) => `${kind} ${execution} ${event} ${type}`)
        .toSorted(),
      [...expected].toSorted(),
    );
  });
}

test('an open run is compared as far as the mirror has come', async (t) => {
  const { findings, notes, compared } = await reconcile(t, whole.slice(0, 6), {
    ...server,
    e2: last.slice(0, 3),
  });
  assert.deepEqual(findings, []);
  assert.equal(compared, 4);
  assert.match(notes.join(), /2 events behind in execution e2/);
});

test('events that Temporal may still take back are not compared', async (t) => {
  const transient = toEvent(3, 'WORKFLOW_TASK_STARTED', {}, '0');
  const { findings, notes } = await reconcile(
    t,
    whole.slice(0, 3),
    { e1: [toStart('e1'), scheduled, transient] },
    'e1',
  );
  assert.deepEqual([findings, notes], [[], []]);
});

test('what Temporal no longer has is said, and the rest compared', async (t) => {
  const part = await reconcile(t, whole, { e2: [second, scheduled, signalled(4), completed(4)] });
  assert.match(part.notes.join(), /no longer has execution e1: 3 events/);
  assert.equal(part.findings.length, 1);
  const none = await reconcile(t, whole, {});
  assert.match(none.notes.join(), /no longer has this run/);
  assert.deepEqual([none.findings, none.compared], [[], 0]);
});

test('a reset is compared with what it copied of its base', async (t) => {
  const mark = toEvent(3, 'WORKFLOW_TASK_FAILED', {
    cause: 'WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW',
    baseRunId: 'e1',
    newRunId: 'e9',
  });
  const base = [toStart('e1'), scheduled, toEvent(3, 'WORKFLOW_EXECUTION_TERMINATED')];
  const reset = [toStart('e1'), scheduled, mark, completed(4)];
  const records = [
    ...toRecords('e1', base),
    { kind: 'link', reason: 'reset', from: 'e1', to: 'e9', base: 'e1', baseId: 2 },
    ...toRecords('e9', [mark, completed(4)]),
    { kind: 'close' },
  ];
  const equal = await reconcile(t, records, { e1: base, e9: reset }, 'e9');
  assert.deepEqual([equal.findings, equal.compared, equal.executions], [[], 7, 2]);
});
