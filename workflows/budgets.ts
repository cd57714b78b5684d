/** Every limit of a run with its usage. Pure. */
import type { Limits, Budget, ToolLimits } from '../policies/action.ts';
import type { RunUsage, ToolUsage } from './usage.ts';
import { toolUsage } from './usage.ts';

/** Limits of the whole run, named as in `budgets` of tools.yaml. */
export type RunBudget =
  'steps' | 'tool_calls' | 'model_calls' | 'tokens' | 'minutes' | 'run_output_bytes' | 'usd';

const msPerMinute = 60_000;

const inRun: Readonly<
  Record<RunBudget, (usage: RunUsage, limits: Limits) => readonly [number, number | undefined]>
> = {
  steps: (usage, { steps }) => [usage.steps, steps],
  tool_calls: (usage, { toolCalls }) => [usage.toolCalls, toolCalls],
  model_calls: ({ modelCalls = 0 }, limits) => [modelCalls, limits.modelCalls],
  tokens: (usage, { tokens }) => [usage.inputTokens + usage.outputTokens, tokens],
  minutes: (usage, { minutes }) => [usage.workMs / msPerMinute, minutes],
  run_output_bytes: ({ outputBytes = 0 }, limits) => [outputBytes, limits.outputBytes],
  usd: ({ usd = 0 }, limits) => [usd, limits.usd],
};

const units: Readonly<Record<RunBudget, string>> = {
  steps: 'steps',
  tool_calls: 'tool calls',
  model_calls: 'model calls',
  tokens: 'tokens',
  minutes: 'minutes of work',
  run_output_bytes: 'bytes of output',
  usd: 'US dollars',
};

const isRunBudget = (name: string): name is RunBudget => Object.hasOwn(units, name);

/** Omits what has no limit. */
export function readBudgets(usage: RunUsage, limits: Limits): Budget[] {
  const names = Object.keys(units).filter(isRunBudget);
  return [
    ...names.flatMap((name) => toBudget(name, ...inRun[name](usage, limits))),
    ...Object.entries(limits.perTool ?? {}).flatMap(([tool, limit]) =>
      readToolBudgets(tool, toolUsage(usage, tool), limit),
    ),
  ];
}

/** The policy enforces a limit of 0 calls: the run continues without the tool. */
function readToolBudgets(
  tool: string,
  { calls, workMs, outputBytes }: ToolUsage,
  limit: number | ToolLimits,
): Budget[] {
  const limits = typeof limit === 'number' ? { calls: limit } : limit;
  const at = `per_tool.${tool}`;
  return [
    ...(limits.calls === 0 ? [] : toBudget(`${at}.calls`, calls, limits.calls)),
    ...toBudget(`${at}.minutes`, workMs / msPerMinute, limits.minutes),
    ...toBudget(`${at}.output_bytes`, outputBytes, limits.outputBytes),
  ];
}

const toBudget = (name: string, used: number, limit: number | undefined): Budget[] =>
  limit === undefined ? [] : [{ name, used, limit }];

/** Whether a budget covers calls of this tool. */
export const isOfTool = ({ name }: Budget, tool: string): boolean =>
  ['calls', 'minutes', 'output_bytes'].some((kind) => name === `per_tool.${tool}.${kind}`);

/** Used up: what is already paid for counts, only the next thing is refused. */
export const isUsedUp = ({ used, limit }: Budget): boolean => used >= limit;

/** From here on the model is warned. */
export const isNearlyUsedUp = ({ used, limit }: Budget): boolean =>
  limit > 0 && used >= 0.8 * limit;

/** `10 tool calls`, `3 calls of search`: the limit in words. */
export const renderLimit = ({ name, limit }: Budget): string =>
  `${renderAmount(limit, name)} ${toUnit(name)}`;

/** `8 of 10 tool calls`. */
export const renderBudget = (budget: Budget): string =>
  `${renderAmount(budget.used, budget.name)} of ${renderLimit(budget)}`;

function toUnit(name: string): string {
  if (isRunBudget(name)) return units[name];
  const [tool, kind] = splitToolName(name);
  if (kind === 'calls') return `calls of ${tool}`;
  return `${kind === 'minutes' ? units.minutes : units.run_output_bytes} of ${tool}`;
}

function splitToolName(name: string): readonly [tool: string, kind: string] {
  const end = name.lastIndexOf('.');
  return [name.slice('per_tool.'.length, end), name.slice(end + 1)];
}

function renderAmount(amount: number, name: string): string {
  if (name === 'usd' && amount > 0 && amount < 0.01) return amount.toPrecision(2);
  if (name === 'usd') return amount.toFixed(2);
  return String(Number.isInteger(amount) ? amount : Number(amount.toPrecision(3)));
}
