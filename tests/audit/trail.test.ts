import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { HistoryEventJson } from '../../audit/mirror/history-json.ts';
import { attributesOf } from '../../audit/mirror/history-json.ts';
import { readTrail } from '../../audit/events/trail.ts';
import type { Trail } from '../../audit/events/trail.ts';
import { createFolder } from './folder.ts';

async function readHistory(name: string): Promise<HistoryEventJson[]> {
  const file = new URL(`../histories/${name}.json`, import.meta.url);
  return (JSON.parse(await readFile(file, 'utf8')) as { events: HistoryEventJson[] }).events;
}

/** The trail of a log that ends after these events, as when the server was lost there. */
async function trailOf(t: TestContext, events: readonly HistoryEventJson[]): Promise<Trail> {
  const file = join(await createFolder(t), 'run-cut.jsonl');
  await writeFile(
    file,
    events.map((event) => `${JSON.stringify({ kind: 'event', event })}\n`).join(''),
  );
  const trail = await readTrail(file);
  assert.ok(trail !== undefined);
  return trail;
}

/** Index behind the completion of the activity of a type that was the `nth` to complete, from 1. */
function indexAfter(events: readonly HistoryEventJson[], type: string, nth: number): number {
  const typeOf = (id: string): string | undefined => {
    const scheduled = events.find(({ eventId }) => eventId === id);
    const attributes = scheduled === undefined ? {} : attributesOf(scheduled);
    return (attributes['activityType'] as { name?: string } | undefined)?.name;
  };
  let seen = 0;
  const at = events.findIndex(
    (event) =>
      event.eventType === 'EVENT_TYPE_ACTIVITY_TASK_COMPLETED' &&
      typeOf(String(attributesOf(event)['scheduledEventId'])) === type &&
      ++seen === nth,
  );
  assert.ok(at >= 0, `${type} completed ${nth} times`);
  return at + 1;
}

const statesOf = ({ point }: Trail): string[] =>
  (point?.steps ?? []).map(({ id, state, claim }) => `${id} ${state} ${claim ?? ''}`.trimEnd());

test('each step of a batch is gone back to, and forked from, at the start of the batch', async (t) => {
  const { steps, base } = await trailOf(t, await readHistory('rewind-into-merged-lanes'));
  const batch = steps.filter(({ together }) => together !== undefined);
  assert.deepEqual(
    batch.map(({ id, together }) => [id, together]),
    [
      ['s1', ['s1', 's2']],
      ['s2', ['s1', 's2']],
    ],
  );
  for (const { before, after, state } of batch) {
    assert.equal(before, base);
    assert.notEqual(after, base);
    assert.deepEqual(
      state.steps.map((step) => step.state),
      ['waiting', 'waiting', 'waiting'],
    );
  }
});

test('a log that ends in mid-batch is restored to the start of the batch', async (t) => {
  const events = await readHistory('rewind-into-merged-lanes');
  const trail = await trailOf(t, events.slice(0, indexAfter(events, 'review', 2)));
  assert.deepEqual(statesOf(trail), ['s1 waiting', 's2 waiting', 's9 waiting']);
  assert.equal(trail.point?.tree, trail.base);
  assert.equal(trail.tree, trail.base);
});

test('a log that ends between two merges keeps what was merged, with its claim', async (t) => {
  const events = await readHistory('rewind-into-merged-lanes');
  const trail = await trailOf(t, events.slice(0, indexAfter(events, 'mergeLane', 1)));
  assert.deepEqual(statesOf(trail), ['s1 done s1 done.', 's2 waiting', 's9 waiting']);
  assert.notEqual(trail.tree, trail.base);
  assert.equal(trail.point?.tree, trail.tree);
});

test('after a rewind into a batch, the log is as before the batch', async (t) => {
  const events = await readHistory('rewind-into-merged-lanes');
  // Begun first: the batch, s9, the way back, the batch again.
  const trail = await trailOf(t, events.slice(0, indexAfter(events, 'ensureWorkspace', 4)));
  assert.deepEqual(statesOf(trail), ['s1 waiting', 's2 waiting', 's9 waiting']);
  assert.equal(trail.point?.tree, trail.base);
});

test('a log from before batches had checkpoints is restored with nothing that was not merged', async (t) => {
  const events = await readHistory('parallel-steps');
  const cut = indexAfter(events, 'review', 2);
  const trail = await trailOf(t, events.slice(0, cut));
  assert.deepEqual(statesOf(trail), ['s1 waiting', 's2 waiting', 's3 waiting']);
  assert.equal(trail.point?.tree, trail.base);
});
