import type { Usage } from '../activities/contract.ts';
import type { Limits, Prices } from '../policies/action.ts';
import { RunEnd } from './failures.ts';
import { nudge } from './progress.ts';
import type { Run } from './state.ts';
import { limitsOf } from './state.ts';

type Kind = Exclude<keyof Limits, 'perTool'>;

const toNumber = (value: number): string =>
  Number.isInteger(value) ? String(value) : value.toFixed(2);

/** How each kind is said, in text for models and people. */
const say: Readonly<Record<Kind, (amount: number) => string>> = {
  steps: (n) => `${n} steps`,
  toolCalls: (n) => `${n} tool calls`,
  tokens: (n) => `${n} tokens`,
  minutes: (n) => `${toNumber(n)} minutes of work`,
  outputBytes: (n) => `${n} bytes of output`,
  usd: (n) => `${n.toFixed(2)} US dollars`,
};
const kinds = Object.keys(say) as Kind[];

const spent = ({ state: { usage } }: Run): Readonly<Record<Kind, number>> => ({
  steps: usage.steps,
  toolCalls: usage.toolCalls,
  tokens: usage.inputTokens + usage.outputTokens,
  minutes: usage.workMs / 60_000,
  outputBytes: usage.outputBytes ?? 0,
  usd: usage.usd ?? 0,
});

/** Counted as used from here on, the model is told once for each limit. */
const warnFrom = 0.8;

/**
 * Called before each model call and each action. What is already paid for is used: only the next thing is refused.
 * @throws RunEnd `budget` when a limit is reached; at 80 % the model is told, once for each limit.
 */
export function checkBudget(run: Run, ...about: readonly Kind[]): void {
  const limits = limitsOf(run);
  const used = spent(run);
  for (const kind of about) {
    const limit = limits[kind];
    if (limit !== undefined && used[kind] >= limit) throw overBudget(say[kind](limit));
  }
  for (const kind of kinds) {
    const limit = limits[kind];
    if (kind !== 'steps' && limit !== undefined && used[kind] >= warnFrom * limit)
      warn(run, kind, `${say[kind](used[kind])} of ${say[kind](limit)}`);
  }
}

/** The same for the calls of one tool. A limit of 0 is the policy's to refuse. */
export function checkToolBudget(run: Run, tool: string): void {
  const limit = limitsOf(run).perTool?.[tool] ?? 0;
  if (limit === 0) return;
  const used = run.state.usage.perTool?.[tool] ?? 0;
  if (used >= limit) throw overBudget(`${limit} calls of ${tool}`);
  if (used >= warnFrom * limit) warn(run, `tool ${tool}`, `${used} of ${limit} calls of ${tool}`);
}

const overBudget = (limit: string): RunEnd =>
  new RunEnd(
    'budget',
    `The run has used its ${limit}. Start it again with a higher limit, or raise it in policies/tools.yaml.`,
  );

function warn({ state }: Run, about: string, text: string): void {
  if (state.warnings?.includes(about)) return;
  state.warnings = [...(state.warnings ?? []), about];
  nudge(state, `${text} are used. Finish what matters most and wrap up.`);
}

/** `model` is what answered; without a price for it, what it cost is not counted. */
export function countModel({ state }: Run, tokens: Usage, ms: number, model = ''): void {
  const { usage } = state;
  usage.inputTokens += tokens.inputTokens;
  usage.outputTokens += tokens.outputTokens;
  usage.workMs += ms;
  const price = findPrice(state.prices, model);
  if (price === undefined) return;
  const usd = tokens.inputTokens * price.input + tokens.outputTokens * price.output;
  usage.usd = (usage.usd ?? 0) + usd / 1_000_000;
}

/** The longest name that fits; `*` at its end stands for any rest. */
function findPrice(prices: Prices = {}, model: string): Prices[string] | undefined {
  const fitting = Object.keys(prices).filter((name) =>
    name.endsWith('*') ? model.startsWith(name.slice(0, -1)) : name === model,
  );
  const [best = ''] = fitting.toSorted((a, b) => b.length - a.length);
  return prices[best];
}

export function countAction(
  { state: { usage } }: Run,
  tool: string,
  { ms, bytes }: { readonly ms: number; readonly bytes: number },
): void {
  usage.toolCalls += 1;
  usage.workMs += ms;
  usage.outputBytes = (usage.outputBytes ?? 0) + bytes;
  usage.perTool = { ...usage.perTool, [tool]: (usage.perTool?.[tool] ?? 0) + 1 };
}
