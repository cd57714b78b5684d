import type { ToolLimits } from './action.ts';
import type { Policy } from './policy.ts';
import type { ToolsFile } from './schema.ts';

type BudgetsFile = NonNullable<ToolsFile['budgets']>;
type Budgets = Policy['budgets'];

export const compileBudgets = ({ budgets }: ToolsFile): Budgets => ({
  steps: budgets?.steps ?? 50,
  toolCalls: budgets?.tool_calls ?? 500,
  tokens: budgets?.tokens ?? 3_000_000,
  minutes: budgets?.minutes ?? 120,
  outputBytes: budgets?.output_bytes ?? 1_000_000,
  runOutputBytes: budgets?.run_output_bytes ?? 200_000_000,
  ...lower('usd', budgets?.usd),
  ...lower('modelCalls', budgets?.model_calls),
  perTool: toToolLimits(budgets?.per_tool),
});

/** A bare number limits calls. */
const toToolLimits = (perTool: BudgetsFile['per_tool'] = {}): Budgets['perTool'] =>
  new Map(
    Object.entries(perTool).map(([tool, limit]) => {
      const limits = typeof limit === 'number' ? { calls: limit } : limit;
      const { calls, minutes, output_bytes: outputBytes } = limits;
      return [tool, lowerTool({ calls, minutes, outputBytes })];
    }),
  );

/** Takes the lower of each pair of limits. */
export const tightenBudgets = (base: Budgets, wishes: BudgetsFile = {}): Budgets => ({
  steps: smaller(base.steps, wishes.steps),
  toolCalls: smaller(base.toolCalls, wishes.tool_calls),
  tokens: smaller(base.tokens, wishes.tokens),
  minutes: smaller(base.minutes, wishes.minutes),
  outputBytes: smaller(base.outputBytes, wishes.output_bytes),
  runOutputBytes: smaller(base.runOutputBytes, wishes.run_output_bytes),
  ...lower('usd', base.usd, wishes.usd),
  ...lower('modelCalls', base.modelCalls, wishes.model_calls),
  perTool: tightenTools(base.perTool, toToolLimits(wishes.per_tool)),
});

function tightenTools(base: Budgets['perTool'], wishes: Budgets['perTool']): Budgets['perTool'] {
  const tools = new Set([...base.keys(), ...wishes.keys()]);
  return new Map([...tools].map((tool) => [tool, lowerTool(base.get(tool), wishes.get(tool))]));
}

type Wanted = { readonly [K in keyof ToolLimits]?: number | undefined };

const lowerTool = (a: Wanted = {}, b: Wanted = {}): ToolLimits => ({
  ...lower('calls', a.calls, b.calls),
  ...lower('minutes', a.minutes, b.minutes),
  ...lower('outputBytes', a.outputBytes, b.outputBytes),
});

const smaller = (a: number, b: number | undefined): number => Math.min(a, b ?? a);

/** The lowest of the limits that are set, keyed by name; empty if none is. */
function lower<K extends string>(
  name: K,
  ...numbers: readonly (number | undefined)[]
): { readonly [N in K]?: number } {
  const given = numbers.filter((each) => each !== undefined);
  return given.length === 0
    ? {}
    : ({ [name]: Math.min(...given) } as { readonly [N in K]: number });
}
