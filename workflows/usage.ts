/** A run's usage: pure counting, the same in the run and in its events. */
import type { ModelOutcome, Usage } from '../activities/contract/model.ts';
import type { Prices } from '../policies/action.ts';

export interface RunUsage {
  readonly steps: number;
  readonly toolCalls: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Milliseconds spent in model calls and tools; waiting is free. */
  readonly workMs: number;
  /** Bytes returned by tools. */
  readonly outputBytes?: number;
  /** Replies of models. */
  readonly modelCalls?: number;
  /** Input tokens from the servers' caches. */
  readonly cachedTokens?: number;
  /** US dollars, for models that have a price; absent if none has. */
  readonly usd?: number;
  /** Models without a price: `usd` does not include them. */
  readonly unpriced?: readonly string[];
  readonly tools?: Readonly<Record<string, ToolUsage>>;
}

export interface ToolUsage {
  readonly calls: number;
  readonly workMs: number;
  readonly outputBytes: number;
}

export type Counts = { -readonly [K in keyof RunUsage]: RunUsage[K] };

/** Counts an answer, usable or not. If the model has no price, its cost is not counted, and that is recorded. */
export function countModel(
  counts: Counts,
  prices: Prices | undefined,
  outcome: ModelOutcome<unknown>,
): void {
  if (outcome.kind !== 'answer' && outcome.kind !== 'invalid') return;
  const { model = '', usage, ms } = outcome;
  counts.modelCalls = (counts.modelCalls ?? 0) + 1;
  counts.inputTokens += usage.inputTokens;
  counts.outputTokens += usage.outputTokens;
  counts.workMs += ms;
  if (usage.cachedTokens !== undefined)
    counts.cachedTokens = (counts.cachedTokens ?? 0) + usage.cachedTokens;
  const price = findPrice(prices, model);
  if (price !== undefined) counts.usd = (counts.usd ?? 0) + toUsd(price, usage);
  else if (model !== '' && counts.unpriced?.includes(model) !== true)
    counts.unpriced = [...(counts.unpriced ?? []), model];
}

export function countAction(
  counts: Counts,
  tool: string,
  { ms, bytes }: { readonly ms: number; readonly bytes: number },
): void {
  const { calls, workMs, outputBytes } = toolUsage(counts, tool);
  counts.toolCalls += 1;
  counts.workMs += ms;
  counts.outputBytes = (counts.outputBytes ?? 0) + bytes;
  counts.tools = {
    ...counts.tools,
    [tool]: { calls: calls + 1, workMs: workMs + ms, outputBytes: outputBytes + bytes },
  };
}

/** What one tool has used; the name comes from a model, so only own properties count. */
export const toolUsage = ({ tools = {} }: RunUsage, tool: string): ToolUsage =>
  (Object.hasOwn(tools, tool) ? tools[tool] : undefined) ?? unused;

const unused: ToolUsage = { calls: 0, workMs: 0, outputBytes: 0 };

/** The exact name, or the longest matching prefix; a trailing `*` matches any suffix. */
export function findPrice(prices: Prices = {}, model: string): Prices[string] | undefined {
  const fitting = Object.keys(prices).filter((name) =>
    name.endsWith('*') ? model.startsWith(name.slice(0, -1)) : name === model,
  );
  const [best = ''] = fitting.toSorted((a, b) => b.length - a.length);
  return prices[fitting.includes(model) ? model : best];
}

function toUsd(price: Prices[string], { inputTokens, outputTokens, cachedTokens = 0 }: Usage) {
  const cached = Math.min(cachedTokens, inputTokens);
  const usd =
    (inputTokens - cached) * price.input +
    cached * (price.cached ?? price.input) +
    outputTokens * price.output;
  return usd / 1_000_000;
}
