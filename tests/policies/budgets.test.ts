import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { compileBudgets, tightenBudgets } from '../../policies/budgets.ts';
import type { ToolsFile } from '../../policies/schema.ts';
import { toolsSchema } from '../../policies/schema.ts';

const parse = (budgets: unknown): ToolsFile =>
  toolsSchema.parse({ version: 1, tools: { allow: ['*'] }, budgets });

const least = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);

suite('budgets of tools.yaml', () => {
  test('a number for a tool limits its calls; more is said by name', () => {
    const { perTool } = compileBudgets(
      parse({ per_tool: { search: 3, run_command: { minutes: 1.5, output_bytes: 9 } } }),
    );
    assert.deepEqual(Object.fromEntries(perTool), {
      search: { calls: 3 },
      run_command: { minutes: 1.5, outputBytes: 9 },
    });
  });

  for (const [what, budgets] of [
    ['a tool', { per_tool: { search: { tokens: 3 } } }],
    ['a number below nothing', { per_tool: { search: -1 } }],
    ['half a call', { model_calls: 1.5 }],
    ['a negative price', { usd: -1 }],
  ] as const)
    test(`what cannot be counted of ${what} is refused`, () => assert.throws(() => parse(budgets)));

  const count = fc.option(fc.nat(100), { nil: undefined });
  const file = fc.record(
    {
      steps: fc.nat(100),
      model_calls: fc.nat(100),
      usd: fc.nat(100),
      per_tool: fc.dictionary(
        fc.constantFrom('a', 'b'),
        fc.oneof(fc.nat(100), fc.record({ calls: count, minutes: count, output_bytes: count })),
      ),
    },
    { requiredKeys: [] },
  );
  test('a workspace can only lower them', () => {
    fc.assert(
      fc.property(file, file, (own, wished) => {
        const base = compileBudgets(parse(own));
        const wishes = compileBudgets(parse(wished));
        const tight = tightenBudgets(base, parse(wished).budgets);
        assert.equal(tight.steps, Math.min(base.steps, wished.steps ?? base.steps));
        assert.equal(tight.usd, least(base.usd, wishes.usd));
        assert.equal(tight.modelCalls, least(base.modelCalls, wishes.modelCalls));
        for (const tool of ['a', 'b'])
          for (const kind of ['calls', 'minutes', 'outputBytes'] as const)
            assert.equal(
              tight.perTool.get(tool)?.[kind],
              least(base.perTool.get(tool)?.[kind], wishes.perTool.get(tool)?.[kind]),
            );
      }),
    );
  });
});
