/** A run's usage and limits. Pure. */
import type { Limits, Budget } from '../../policies/action.ts';
import type { RunUsage } from '../../workflows/contract.ts';
import { toLine } from '../clean.ts';
import { renderCount } from './render.ts';

const msPerMinute = 60_000;

/** Dollars with meaningful digits: `$12.30`, `$0.0042`. */
export const renderUsd = (usd: number): string =>
  `$${usd > 0 && usd < 0.01 ? usd.toPrecision(2) : usd.toFixed(2)}`;

const renderAmount = (amount: number, name: string): string => {
  if (name === 'usd') return renderUsd(amount);
  if (!name.endsWith('minutes')) return renderCount(amount);
  return String(Number(amount < 1 ? amount.toFixed(2) : amount.toPrecision(2)));
};

/** `tool_calls 8 of 10`, named as in `budgets` of tools.yaml. */
export const renderMeter = ({ name, used, limit }: Budget): string =>
  `${toLine(name, 80)} ${renderAmount(used, name)} of ${renderAmount(limit, name)}`;

const of = (amount: number, limit: number | undefined, name: string): string =>
  `${renderAmount(amount, name)}${limit === undefined ? '' : ` of ${renderAmount(limit, name)}`}`;

/** One line per resource used, with its limit if known. */
export function renderUse(usage: RunUsage, limits?: Limits): string[] {
  const { steps, toolCalls, modelCalls = 0, workMs, outputBytes = 0 } = usage;
  const tokens = usage.inputTokens + usage.outputTokens;
  return [
    `steps ${of(steps, limits?.steps, 'steps')}, tool calls ${of(toolCalls, limits?.toolCalls, 'tool_calls')}, model calls ${of(modelCalls, limits?.modelCalls, 'model_calls')}`,
    `tokens ${of(tokens, limits?.tokens, 'tokens')}, minutes of work ${of(workMs / msPerMinute, limits?.minutes, 'minutes')}, bytes of output ${of(outputBytes, limits?.outputBytes, 'run_output_bytes')}`,
    ...renderCost(usage, limits?.usd),
    ...renderTools(usage, limits?.perTool),
  ];
}

function renderCost({ usd, unpriced }: RunUsage, limit: number | undefined): string[] {
  if (usd === undefined && limit === undefined) return [];
  const left =
    unpriced === undefined ? '' : `, without ${toLine(unpriced.join(', '), 200)}: no price`;
  return [`${renderUsd(usd ?? 0)}${limit === undefined ? '' : ` of ${renderUsd(limit)}`}${left}`];
}

/** Tools that have their own limits. */
function renderTools({ tools = {} }: RunUsage, perTool: Limits['perTool'] = {}): string[] {
  return Object.entries(perTool).flatMap(([tool, limit]) => {
    const { calls, minutes, outputBytes } = typeof limit === 'number' ? { calls: limit } : limit;
    const used = tools[tool] ?? { calls: 0, workMs: 0, outputBytes: 0 };
    const meters: readonly (readonly [string, number, number | undefined])[] = [
      ['calls', used.calls, calls],
      ['minutes', used.workMs / msPerMinute, minutes],
      ['output_bytes', used.outputBytes, outputBytes],
    ];
    return meters.flatMap(([kind, amount, most]) =>
      most === undefined
        ? []
        : [renderMeter({ name: `per_tool.${tool}.${kind}`, used: amount, limit: most })],
    );
  });
}
