/** Every limit of a run beside what is used of it. Pure. */
import type { Limits, Meter, ToolLimits } from '../policies/action.ts';
import type { RunUsage, ToolUsage } from './usage.ts';
import { toolUsage } from './usage.ts';

/** What is limited in the whole run, as `budgets` of tools.yaml names it. */
export type RunMeter =
  'steps' | 'tool_calls' | 'model_calls' | 'tokens' | 'minutes' | 'run_output_bytes' | 'usd';

const msPerMinute = 60_000;

const inRun: Readonly<
  Record<RunMeter, (usage: RunUsage, limits: Limits) => readonly [number, number | undefined]>
> = {
  steps: (usage, { steps }) => [usage.steps, steps],
  tool_calls: (usage, { toolCalls }) => [usage.toolCalls, toolCalls],
  model_calls: ({ modelCalls = 0 }, limits) => [modelCalls, limits.modelCalls],
  tokens: (usage, { tokens }) => [usage.inputTokens + usage.outputTokens, tokens],
  minutes: (usage, { minutes }) => [usage.workMs / msPerMinute, minutes],
  run_output_bytes: ({ outputBytes = 0 }, limits) => [outputBytes, limits.outputBytes],
  usd: ({ usd = 0 }, limits) => [usd, limits.usd],
};

const units: Readonly<Record<RunMeter, string>> = {
  steps: 'steps',
  tool_calls: 'tool calls',
  model_calls: 'model calls',
  tokens: 'tokens',
  minutes: 'minutes of work',
  run_output_bytes: 'bytes of output',
  usd: 'US dollars',
};

const isRunMeter = (name: string): name is RunMeter => Object.hasOwn(units, name);

/** Limits there are none of are left out. */
export function readMeters(usage: RunUsage, limits: Limits): Meter[] {
  const names = Object.keys(units).filter(isRunMeter);
  return [
    ...names.flatMap((name) => toMeter(name, ...inRun[name](usage, limits))),
    ...Object.entries(limits.perTool ?? {}).flatMap(([tool, limit]) =>
      readToolMeters(tool, toolUsage(usage, tool), limit),
    ),
  ];
}

/** A limit of 0 calls is the policy's to refuse: the run goes on without the tool. */
function readToolMeters(
  tool: string,
  { calls, workMs, outputBytes }: ToolUsage,
  limit: number | ToolLimits,
): Meter[] {
  const limits = typeof limit === 'number' ? { calls: limit } : limit;
  const at = `per_tool.${tool}`;
  return [
    ...(limits.calls === 0 ? [] : toMeter(`${at}.calls`, calls, limits.calls)),
    ...toMeter(`${at}.minutes`, workMs / msPerMinute, limits.minutes),
    ...toMeter(`${at}.output_bytes`, outputBytes, limits.outputBytes),
  ];
}

const toMeter = (name: string, used: number, limit: number | undefined): Meter[] =>
  limit === undefined ? [] : [{ name, used, limit }];

/** Whether a meter is about calls of this tool. */
export const isOfTool = ({ name }: Meter, tool: string): boolean =>
  ['calls', 'minutes', 'output_bytes'].some((kind) => name === `per_tool.${tool}.${kind}`);

/** Used up from here on: what is already paid for counts, only the next thing is refused. */
export const isUsedUp = ({ used, limit }: Meter): boolean => used >= limit;

/** From here on the model is told. */
export const isNearlyUsedUp = ({ used, limit }: Meter): boolean => limit > 0 && used >= 0.8 * limit;

/** `10 tool calls`, `3 calls of search`: the limit as a person says it. */
export const renderLimit = ({ name, limit }: Meter): string =>
  `${renderAmount(limit, name)} ${toUnit(name)}`;

/** `8 of 10 tool calls`. */
export const renderMeter = (meter: Meter): string =>
  `${renderAmount(meter.used, meter.name)} of ${renderLimit(meter)}`;

function toUnit(name: string): string {
  if (isRunMeter(name)) return units[name];
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
