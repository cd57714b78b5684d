import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { renderEntry } from '../../cli/commands/audit-tail.ts';
import { renderMeter, renderUsd, renderUse } from '../../cli/render/render-use.ts';

const usage = {
  steps: 2,
  toolCalls: 8,
  inputTokens: 1_900,
  outputTokens: 100,
  workMs: 90_000,
  outputBytes: 2_048,
  modelCalls: 9,
  tools: { search: { calls: 3, workMs: 1_000, outputBytes: 50 } },
};
const limits = { steps: 5, toolCalls: 10, tokens: 3_000_000, minutes: 120, outputBytes: 4_000 };

suite('what a run used', () => {
  test('is shown with the limits while it goes on', () => {
    const perTool = { search: { calls: 4, outputBytes: 60 }, run_command: 7 };
    assert.deepEqual(renderUse(usage, { ...limits, usd: 5, perTool }), [
      'steps 2 of 5, tool calls 8 of 10, model calls 9',
      'tokens 2.0k of 3.0M, minutes of work 1.5 of 120, bytes of output 2.0k of 4.0k',
      '$0.00 of $5.00',
      'per_tool.search.calls 3 of 4',
      'per_tool.search.output_bytes 50 of 60',
      'per_tool.run_command.calls 0 of 7',
    ]);
  });
  test('is shown without them when it is over, with models that have no price', () => {
    assert.deepEqual(
      renderUse({ ...usage, usd: 0.25, unpriced: ['qwen'] }).at(-1),
      '$0.25, without qwen: no price',
    );
    assert.equal(renderUse({ ...usage, unpriced: ['qwen'] }).length, 2);
  });
});

for (const [usd, text] of [
  [0, '$0.00'],
  [0.0042, '$0.0042'],
  [0.1, '$0.10'],
  [12.345, '$12.35'],
] as const)
  test(`${usd} dollars are ${text}`, () => assert.equal(renderUsd(usd), text));

test('a meter has the name of tools.yaml', () =>
  assert.equal(renderMeter({ name: 'minutes', used: 96.2, limit: 120 }), 'minutes 96 of 120'));

test('the audit log says how a run ended, and by which limit', () => {
  const end = { kind: 'end', time: 'T', run: 'r', status: 'budget', why: 'All used.' } as const;
  assert.equal(
    renderEntry({ ...end, limit: { name: 'steps', used: 5, limit: 5 } }),
    '? r ended: budget by steps (5 of 5 used): All used.',
  );
  assert.equal(renderEntry({ ...end, status: 'done' }), '? r ended: done: All used.');
});
