import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HistoryPage } from '../../client/events/history.ts';
import { followHistory } from '../../client/events/history.ts';

interface Event {
  eventId: number;
  taskId: number;
  name: string;
  workflowExecutionContinuedAsNewEventAttributes?: { newExecutionRunId: string };
}

const event = (eventId: number, name: string, taskId = 1): Event => ({ eventId, taskId, name });
const more = new Uint8Array([1]);

/** A server that answers the polls in turn; a text stands for a failure. */
function createServer(answers: (HistoryPage<Event> | 'away' | 'broken')[]) {
  const polls: string[] = [];
  let aways = 0;
  const stop = new AbortController();
  const source = {
    firstRunId: 'first',
    signal: stop.signal,
    isAway: (error: unknown) => (error as Error).message === 'away',
    onAway: () => (aways += 1),
    poll: async (runId: string, token: Uint8Array | undefined) => {
      polls.push(`${runId} ${token === undefined ? 'start' : 'on'}`);
      const answer = answers.shift();
      if (answer === undefined) {
        stop.abort();
        throw new Error('away');
      }
      if (typeof answer === 'string') throw new Error(answer);
      return answer;
    },
  };
  const read = async (): Promise<string[]> => {
    const names: string[] = [];
    for await (const events of followHistory(source)) names.push(...events.map(({ name }) => name));
    return names;
  };
  return { read, polls, aways: () => aways };
}

test('events come once and in order, over several answers and empty ones', async () => {
  const server = createServer([
    { events: [event(1, 'a'), event(2, 'b')], next: more },
    { events: [], next: more },
    { events: [event(3, 'c')], next: undefined },
  ]);
  assert.deepEqual(await server.read(), ['a', 'b', 'c']);
  assert.deepEqual(server.polls, ['first start', 'first on', 'first on']);
});

test('an event that is not durable waits until it is', async () => {
  const server = createServer([
    { events: [event(1, 'a'), event(2, 'perhaps', 0)], next: more },
    { events: [event(2, 'b'), event(3, 'c')], next: undefined },
  ]);
  assert.deepEqual(await server.read(), ['a', 'b', 'c']);
});

test('events sent twice are taken once', async () => {
  const server = createServer([
    { events: [event(1, 'a'), event(2, 'b')], next: more },
    { events: [event(2, 'b'), event(3, 'c')], next: undefined },
  ]);
  assert.deepEqual(await server.read(), ['a', 'b', 'c']);
});

test('a run that goes on in a fresh history is followed there', async () => {
  const last = {
    ...event(2, 'continued'),
    workflowExecutionContinuedAsNewEventAttributes: { newExecutionRunId: 'second' },
  };
  const server = createServer([
    { events: [event(1, 'a'), last], next: undefined },
    { events: [event(1, 'b')], next: undefined },
  ]);
  assert.deepEqual(await server.read(), ['a', 'continued', 'b']);
  assert.deepEqual(server.polls, ['first start', 'second start']);
});

test('a server that goes away is waited for and told once; nothing is lost or repeated', async () => {
  const server = createServer([
    { events: [event(1, 'a')], next: more },
    'away',
    'away',
    'away',
    { events: [event(2, 'b')], next: undefined },
  ]);
  assert.deepEqual(await server.read(), ['a', 'b']);
  assert.equal(server.aways(), 1);
});

test('any other error is thrown', async () => {
  await assert.rejects(createServer(['broken']).read(), /broken/);
});

test('a reader that has had enough ends quietly', async () => {
  const server = createServer([{ events: [event(1, 'a')], next: more }]);
  assert.deepEqual(await server.read(), ['a']);
});
