import type { Decision, Effect, Verdict } from './action.ts';

const severity: Record<Verdict, number> = { allow: 0, ask: 1, deny: 2 };
const strength: Record<Effect, number> = { pure: 0, workspace: 1, idempotent: 2, external: 3 };

/** The first of the strictest decisions, with the strongest effect of all. */
export const strictest = (first: Decision, ...others: readonly Decision[]): Decision =>
  strictestOf(first, others);

/** As `strictest`, for lists too long for call arguments. */
export function strictestOf(first: Decision, others: readonly Decision[]): Decision {
  const worst = others.reduce((a, b) => (severity[b.verdict] > severity[a.verdict] ? b : a), first);
  const effect = others.reduce((a, b) => strongest(a, b.effect), first.effect);
  if (worst.verdict !== 'ask') return { ...worst, effect };
  const asks = [...new Set([first, ...others].flatMap(rulesThatAsk))];
  return { ...worst, effect, asks: asks.length === 1 ? undefined : asks };
}

/** Empty unless the decision asks. */
export const rulesThatAsk = ({ verdict, rule, asks }: Decision): readonly string[] =>
  verdict === 'ask' ? (asks ?? [rule]) : [];

export const strongest = (a: Effect, b: Effect): Effect => (strength[b] > strength[a] ? b : a);
