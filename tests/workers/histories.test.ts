import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { HistoryError, readHistories, toPrefixes } from '../../workers/histories.ts';
import type { RecordedEvent } from '../../workers/histories.ts';

const scratch = mkdtempSync(join(tmpdir(), 'agent-histories-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

const write = (name: string, text: string): string => {
  const file = join(scratch, name);
  writeFileSync(file, text);
  return file;
};

const toEvents = (workflowId: string, types: readonly string[]): RecordedEvent[] =>
  types.map((eventType, index) => ({
    eventId: String(index + 1),
    eventType: `EVENT_TYPE_${eventType}`,
    workflowExecutionStartedEventAttributes: index === 0 ? { workflowId } : undefined,
  }));

const first = toEvents('run-a', [
  'WORKFLOW_EXECUTION_STARTED',
  'WORKFLOW_TASK_SCHEDULED',
  'WORKFLOW_TASK_STARTED',
  'WORKFLOW_TASK_COMPLETED',
  'ACTIVITY_TASK_SCHEDULED',
]);

test('a run’s log holds a history for each time the run went on in a fresh one', async () => {
  const second = toEvents('run-a', ['WORKFLOW_EXECUTION_STARTED', 'WORKFLOW_TASK_SCHEDULED']);
  const records = [
    { type: 'header' },
    ...first.map((event) => ({ type: 'event', event })),
    { type: 'link' },
    ...second.map((event) => ({ type: 'event', event })),
    { type: 'close' },
  ];
  const file = write('run-a.jsonl', `${records.map((line) => JSON.stringify(line)).join('\n')}\n`);
  const histories = await readHistories(file);
  assert.deepEqual(
    histories.map(({ workflowId, events }) => [workflowId, events.length]),
    [
      ['run-a', 5],
      ['run-a', 2],
    ],
  );
});

test('Temporal’s own JSON is one history', async () => {
  const [history] = await readHistories(write('a.json', JSON.stringify({ events: first })));
  assert.equal(history?.workflowId, 'run-a');
  assert.equal(history?.events.length, 5);
});

for (const [name, text, reason] of [
  ['empty.json', '{"events":[]}', /holds no history/],
  ['other.json', '{"name":"x"}', /holds no history/],
  ['torn.json', '{"events":[', /is not JSON/],
  ['torn.jsonl', '{"event":{"eventId":"1"}}\n{"eve', /torn\.jsonl, line 2/],
  ['late.jsonl', '{"event":{"eventId":"7"}}', /event 7 before event 1/],
  ['none.jsonl', '{"type":"header"}', /holds no history/],
] as const) {
  test(`${name} is refused, saying why`, async () => {
    await assert.rejects(
      readHistories(write(name, text)),
      (error) => error instanceof HistoryError && reason.test(error.message),
    );
  });
}

test('prefixes end at completed workflow tasks, and the whole history is the last', () => {
  const lengths = toPrefixes({ workflowId: 'run-a', events: first }).map(
    ({ events }) => events.length,
  );
  assert.deepEqual(lengths, [4, 5]);
});
