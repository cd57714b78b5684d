/** Runs that come to the end of a budget, or get nowhere. */
import assert from 'node:assert/strict';
import { callsInTurn, happy, loop, tellStory } from '../model-server/scripts.ts';
import type { Scenario } from './scenario.ts';
import { done } from './scenario.ts';

export const limitScenarios: readonly Scenario[] = [
  {
    name: 'failing-the-same-way',
    script: tellStory({
      plan: { steps: [{ id: 's1', title: 'Read' }] },
      act: (asked) => ({
        call: [{ name: 'read_file', args: { path: `part-${asked.messages.length}.txt` } }],
      }),
    }),
    async check(result, agent, handle) {
      assert.equal(result.status, 'stuck');
      assert.equal(result.exitCode, 5);
      assert.match(result.summary, /Calls failed the same way 12 times/);
      const plans = (await agent.events(handle)).filter(({ type }) => type === 'plan.updated');
      assert.equal(plans.length, 2);
    },
  },
  {
    name: 'stuck-across-histories',
    script: tellStory({
      plan: { steps: [{ id: 's1', title: 'Look' }] },
      act: () => ({ call: [{ name: 'list_files', args: {} }] }),
    }),
    input: { historyLimit: 50 },
    check(result) {
      assert.equal(result.status, 'stuck');
      assert.equal(result.usage.toolCalls, 12);
    },
  },
  {
    // One of the two always comes out the same; the other shows that time passes.
    name: 'polling-a-clock',
    script: callsInTurn(
      Array.from({ length: 28 }, (_, index) => ({
        name: 'run_command',
        args: { command: index % 2 === 0 ? 'pwd' : 'date +%N' },
      })),
    ),
    async check(result, agent, handle) {
      done(result);
      const nudges = (await agent.events(handle)).filter(({ type }) => type === 'nudge');
      assert.equal(nudges.length, 0);
    },
  },
  {
    name: 'budget-of-one-tool-in-bytes',
    script: loop(10),
    tools: ['  per_tool: {}', '  per_tool: { search: { output_bytes: 40, minutes: 5 } }'],
    check(result) {
      assert.equal(result.status, 'budget');
      assert.equal(result.limit?.name, 'per_tool.search.output_bytes');
      assert.match(result.summary, /40 bytes of output of search/);
    },
  },
  {
    name: 'budget-of-model-calls',
    script: loop(10),
    input: { limits: { modelCalls: 5 } },
    async check(result, agent, handle) {
      assert.equal(result.status, 'budget');
      // The plan, four turns, and one more for the last word.
      assert.equal(result.usage.modelCalls, 6);
      assert.equal(result.usage.toolCalls, 4);
      assert.match(result.summary, /To go on: agent fork \S+ --step s1 --max-model-calls 10/);
      assert.match(result.summary, /Left:\n- s1 /);
      const events = await agent.events(handle);
      const near = events.flatMap((event) => (event.type === 'budget' ? (event.near ?? []) : []));
      assert.deepEqual(near, [{ name: 'model_calls', used: 4, limit: 5 }]);
    },
  },
  {
    name: 'a-model-without-a-price',
    script: happy,
    input: { limits: { usd: 0.01 } },
    async check(result, agent, handle) {
      done(result);
      assert.deepEqual(result.usage.unpriced, ['scripted']);
      assert.equal(result.usage.usd, undefined);
      const said = (await agent.events(handle)).find(({ type }) => type === 'budget.unpriced');
      assert.deepEqual(said?.type === 'budget.unpriced' && [said.models, said.limit], [
        ['scripted'],
        0.01,
      ]);
    },
  },
];
