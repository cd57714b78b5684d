import type { Run } from './live-run.ts';
import type { RunState } from './state.ts';
import { claimsOf } from './state.ts';

/** Plans tried before the run ends as rejected, or as stuck. */
export const maxRounds = 3;

/** True once the plan is given up, by this step or one beside it. */
export const isGivenUp = ({ state }: Run): boolean => state.plan === undefined;

/** Gives the plan up: the next round begins with another one, which is told what this one achieved. */
export function endRound({ state }: { readonly state: RunState }): void {
  state.achieved.push(...claimsOf(state, 150));
  delete state.plan;
  delete state.refusal;
  state.steps = [];
}

/** The same for a reason of the engine's own; the planner reads it. */
export function planAgain({ state }: Run, why: string): void {
  endRound({ state });
  state.remarks = [...(state.remarks ?? []), why];
}
