import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { RunEvent } from '../../audit/events/events.ts';
import type { RunResult } from '../../workflows/contract.ts';
import { happy, withFaults } from '../model-server/scripts.ts';
import { startModelServer } from '../model-server/server.ts';
import type { Turn } from '../model-server/turns.ts';
import { startAgent } from '../setup/agent.ts';

interface Case {
  readonly name: string;
  /** Sent in place of the executor's first answers. */
  readonly faults: readonly Turn[];
  readonly check: (
    result: RunResult,
    events: readonly RunEvent[],
    executorRequests: number,
  ) => void;
}

const calls = (events: readonly RunEvent[]): number =>
  events.filter(({ type }) => type === 'tool.finished').length;

/** The run ends as without the fault: same files, same number of tool calls. */
const unharmed: Case['check'] = (result, events) => {
  assert.equal(result.status, 'done', result.summary);
  assert.deepEqual(result.changes, ['notes.txt']);
  assert.equal(calls(events), 4);
};

const failsAfterThree =
  (reason: RegExp): Case['check'] =>
  (result, events, requests) => {
    assert.equal(result.status, 'failed');
    assert.equal(result.exitCode, 1);
    assert.match(result.summary, reason);
    assert.match(result.summary, /3 tries/);
    assert.equal(requests, 3);
    assert.equal(calls(events), 0);
  };

const cases: readonly Case[] = [
  {
    name: '429 with retry-after is waited out',
    faults: [{ status: 429, retryAfterMs: 300 }],
    check: unharmed,
  },
  { name: '500 is tried again', faults: [{ status: 500 }], check: unharmed },
  {
    name: 'a slow answer is waited for',
    faults: [{ delayMs: 1_500, call: [{ name: 'list_files', args: {} }] }],
    check: unharmed,
  },
  {
    name: 'a stream cut before the first byte is asked for again',
    faults: [{ cut: 'start' }],
    check: unharmed,
  },
  {
    name: 'a stream cut half-way is asked for again, and its calls are not run',
    faults: [
      { cut: 'stream', call: [{ name: 'write_file', args: { path: 'evil.txt', content: 'x' } }] },
    ],
    check: unharmed,
  },
  {
    name: 'a broken event stream is asked for again',
    faults: [{ malformedJson: true }],
    check: unharmed,
  },
  {
    name: 'a web page instead of an answer is asked for again',
    faults: [{ html: 502 }],
    check: unharmed,
  },
  {
    name: 'arguments that are no JSON go back to the model',
    faults: [{ malformedCall: 'arguments' }],
    check: unharmed,
  },
  {
    name: 'a tool nobody offered goes back to the model',
    faults: [{ malformedCall: 'tool' }],
    check: unharmed,
  },
  { name: 'an empty answer goes back to the model', faults: [{ empty: true }], check: unharmed },
  {
    name: 'an answer cut by the token limit goes back to the model',
    faults: [{ text: 'I was going to', stopped: 'length' }],
    check: unharmed,
  },
  {
    name: 'a tool call written as text is not run',
    faults: [
      {
        text: '<tool_call>{"name":"write_file","arguments":{"path":"evil.txt","content":"x"}}</tool_call>',
      },
    ],
    check: unharmed,
  },
  {
    name: 'ids that repeat or are missing do no harm',
    faults: [{ wrongIds: 'empty', call: [{ name: 'list_files', args: {} }] }],
    check: unharmed,
  },
  {
    name: 'missing token counts are estimated',
    faults: [{ usage: null, call: [{ name: 'list_files', args: {} }] }],
    check(result, events, requests) {
      unharmed(result, events, requests);
      assert.ok(result.usage.inputTokens > 0);
    },
  },
  {
    name: 'a model that never gets a call right ends the run as failed',
    faults: [{ malformedCall: 'tool' }, { malformedCall: 'tool' }, { malformedCall: 'tool' }],
    check: failsAfterThree(/launch_rocket/),
  },
  {
    name: 'a model that says nothing ends the run as failed',
    faults: [{ empty: true }, { empty: true }, { empty: true }],
    check: failsAfterThree(/must call a tool/),
  },
  {
    name: 'a refused key ends the run as failed and says what to set',
    faults: [{ status: 401 }],
    check(result) {
      assert.equal(result.status, 'failed');
      assert.match(result.summary, /OPENAI_API_KEY/);
    },
  },
];

for (const responses of [true, false]) {
  suite(responses ? 'faults over the Responses API' : 'faults over Chat Completions', () => {
    for (const { name, faults, check } of cases) {
      test(name, async (context) => {
        const agent = await startAgent(withFaults(happy, { executor: faults }), {
          model: { responses },
        });
        context.after(() => agent.stop());
        const handle = await agent.start(name);
        const result = await handle.result();
        const requests = agent.model.requests.filter(({ role }) => role === 'executor').length;
        check(result, await agent.events(handle), requests);
        await assert.rejects(agent.read('evil.txt'), { code: 'ENOENT' });
      });
    }
  });
}

test('a model server that is away makes the run wait, visibly, and go on when it is back', async (context) => {
  const agent = await startAgent(happy);
  context.after(() => agent.stop());
  const { port } = agent.model;
  await agent.model.close();
  const handle = await agent.start('wait for it');
  const view = await agent.waitFor(handle, 'waiting-for-model');
  assert.ok(view.now.address.includes(String(port)));
  const back = await startModelServer(happy, { port });
  context.after(() => back.close());
  const result = await handle.result();
  assert.equal(result.status, 'done');
  const waits = (await agent.events(handle)).filter((event) => event.type === 'model.waiting');
  assert.ok(waits.length >= 1);
  assert.match(waits[0]?.reason ?? '', /ECONNREFUSED/);
  assert.equal(result.usage.steps, 2, 'waiting costs no budget');
});
