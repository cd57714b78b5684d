import type { Run } from './live-run.ts';
import type { RunState } from './state.ts';
import { claimsOf } from './state.ts';

/** Plans tried before the run ends as rejected or stuck. */
export const maxRounds = 3;

/** True once this step, or one beside it, has given up the plan. */
export const isGivenUp = ({ state }: Run): boolean => state.plan === undefined;

/** Gives up the plan: the next round's planner is told what this one achieved. */
export function endRound({ state }: { readonly state: RunState }): void {
  state.achieved.push(...claimsOf(state, 150));
  delete state.plan;
  delete state.refusal;
  state.steps = [];
}

/** The same for the engine's own reason, which the planner reads. */
export function planAgain({ state }: Run, why: string): void {
  endRound({ state });
  state.remarks = [...(state.remarks ?? []), why];
}
