import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import type { Usage } from '../../activities/contract/model.ts';
import {
  isNearlyUsedUp,
  isOfTool,
  isUsedUp,
  readBudgets,
  renderBudget,
} from '../../workflows/budgets.ts';
import type { Counts } from '../../workflows/usage.ts';
import { countAction, countModel, findPrice } from '../../workflows/usage.ts';

const nothing = (): Counts => ({
  steps: 0,
  toolCalls: 0,
  inputTokens: 0,
  outputTokens: 0,
  workMs: 0,
});
const million = 1_000_000;

suite('money', () => {
  const prices = {
    'gpt-5': { input: 1, output: 10, cached: 0.1 },
    'gpt-5*': { input: 2, output: 20 },
    '*': { input: 3, output: 30 },
  };
  const costs: readonly (readonly [string, string, Usage, number])[] = [
    [
      'input and output have their prices',
      'gpt-5',
      { inputTokens: million, outputTokens: million },
      11,
    ],
    [
      'what the server had in its cache has its own',
      'gpt-5',
      { inputTokens: million, outputTokens: 0, cachedTokens: million / 2 },
      0.55,
    ],
    [
      'or the usual one',
      'gpt-5-mini',
      { inputTokens: million, outputTokens: 0, cachedTokens: million / 2 },
      2,
    ],
    ['any name fits a star', 'llama', { inputTokens: 0, outputTokens: million / 10 }, 3],
    [
      'more from the cache than was sent costs no less than nothing',
      'gpt-5',
      { inputTokens: 10, outputTokens: 0, cachedTokens: million },
      0.000001,
    ],
  ];
  for (const [what, model, usage, usd] of costs)
    test(what, () => {
      const counts = nothing();
      countModel(counts, prices, { kind: 'invalid', reason: '', model, usage, ms: 5 });
      assert.ok(Math.abs((counts.usd ?? 0) - usd) < 1e-9, `${counts.usd} dollars`);
      assert.equal(counts.unpriced, undefined);
    });

  test('a model without a price is named once and costs nothing', () => {
    const counts = nothing();
    const answered = {
      kind: 'invalid' as const,
      reason: '',
      model: 'qwen',
      usage: { inputTokens: 5, outputTokens: 5 },
      ms: 1,
    };
    countModel(counts, { 'gpt-5': { input: 1, output: 1 } }, answered);
    countModel(counts, undefined, answered);
    assert.deepEqual(counts.unpriced, ['qwen']);
    assert.equal(counts.usd, undefined);
    assert.equal(counts.modelCalls, 2);
  });

  test('names that objects are born with are no prices', () => {
    for (const name of ['constructor', '__proto__', 'toString', ''])
      assert.equal(findPrice({}, name), undefined);
  });
});

suite('counting', () => {
  const used = fc.record({
    tool: fc.constantFrom('search', 'run_command', '__proto__', 'constructor'),
    ms: fc.nat(100_000),
    bytes: fc.nat(1_000_000),
  });

  test('what tools used adds up to what the run used', () => {
    fc.assert(
      fc.property(fc.array(used), (actions) => {
        const counts = nothing();
        for (const { tool, ...result } of actions) countAction(counts, tool, result);
        const tools = Object.values(counts.tools ?? {});
        const sum = (of: (each: (typeof tools)[number]) => number): number =>
          tools.reduce((total, each) => total + of(each), 0);
        assert.equal(
          sum(({ calls }) => calls),
          counts.toolCalls,
        );
        assert.equal(
          sum(({ workMs }) => workMs),
          counts.workMs,
        );
        assert.equal(
          sum(({ outputBytes }) => outputBytes),
          counts.outputBytes ?? 0,
        );
      }),
    );
  });

  test('no count ever falls', () => {
    const answer = fc.record({
      inputTokens: fc.nat(million),
      outputTokens: fc.nat(million),
      cachedTokens: fc.nat(million),
    });
    const prices = { m: { input: 2, output: 3, cached: 1 } };
    fc.assert(
      fc.property(fc.array(answer), (answers) => {
        const counts = nothing();
        let before = { ...counts };
        for (const usage of answers) {
          countModel(counts, prices, { kind: 'invalid', reason: '', model: 'm', usage, ms: 1 });
          assert.ok((counts.usd ?? 0) >= (before.usd ?? 0));
          assert.ok(counts.inputTokens >= before.inputTokens);
          assert.ok((counts.cachedTokens ?? 0) >= (before.cachedTokens ?? 0));
          before = { ...counts };
        }
      }),
    );
  });
});

suite('budgets', () => {
  const limits = { steps: 5, toolCalls: 10, tokens: 1_000, minutes: 2 };
  const usage = {
    steps: 1,
    toolCalls: 8,
    inputTokens: 700,
    outputTokens: 300,
    workMs: 90_000,
    outputBytes: 64,
    modelCalls: 3,
    usd: 0.004,
    tools: { search: { calls: 3, workMs: 60_000, outputBytes: 50 } },
  };

  test('each limit there is has one, with what is used of it', () => {
    const perTool = { search: { calls: 4, minutes: 1, outputBytes: 100 }, read_file: 9 };
    const all = { ...limits, outputBytes: 80, modelCalls: 4, usd: 0.005, perTool };
    assert.deepEqual(readBudgets(usage, all).map(renderBudget), [
      '1 of 5 steps',
      '8 of 10 tool calls',
      '3 of 4 model calls',
      '1000 of 1000 tokens',
      '1.5 of 2 minutes of work',
      '64 of 80 bytes of output',
      '0.0040 of 0.0050 US dollars',
      '3 of 4 calls of search',
      '1 of 1 minutes of work of search',
      '50 of 100 bytes of output of search',
      '0 of 9 calls of read_file',
    ]);
    assert.equal(readBudgets(usage, limits).length, 4);
  });

  test('the model is told from 80 %, and the run ends at 100 %', () => {
    const near = readBudgets(usage, limits).filter(isNearlyUsedUp);
    assert.deepEqual(
      near.map(({ name }) => name),
      ['tool_calls', 'tokens'],
    );
    assert.deepEqual(near.map(isUsedUp), [false, true]);
  });

  test('a tool that may not be called at all is the policy’s business', () => {
    const perTool = { search: 0, read_file: { calls: 0, minutes: 1 } };
    const ofTools = readBudgets(usage, { ...limits, perTool }).slice(4);
    assert.deepEqual(
      ofTools.map(({ name }) => name),
      ['per_tool.read_file.minutes'],
    );
  });

  test('a limit belongs to the tool of just this name', () => {
    const perTool = { 'mcp__a.b__c': 1, 'mcp__a.b__c.calls': 1 };
    const budgets = readBudgets(usage, { ...limits, perTool }).slice(4);
    assert.deepEqual(
      budgets.map((budget) => [
        isOfTool(budget, 'mcp__a.b__c'),
        isOfTool(budget, 'mcp__a.b__c.calls'),
      ]),
      [
        [true, false],
        [false, true],
      ],
    );
  });
});
