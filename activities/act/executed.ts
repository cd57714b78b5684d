import type { Decision } from '../../policies/action.ts';
import type { ActResult } from '../contract/act.ts';
import { GitCheckFailed } from '../sandbox/git/find.ts';
import type { AuthorizedCall } from './call.ts';
import { Rejudged, refusal, stopped, toUnchecked } from './outcome.ts';
import type { Outcome } from './outcome.ts';
import { isCancelled } from './transact.ts';
import type { Transacted } from './transact.ts';

/** Outcome of an authorized call, not yet recorded. */
export type Executed =
  | Transacted<ActResult>
  /** Ended without a transaction that keeps its outcome. */
  | {
      readonly state: 'finished';
      readonly outcome: Outcome;
      readonly decision: Decision;
      readonly ms: number;
      /** Thrown once the outcome is recorded, so that Temporal sees it. */
      readonly error?: unknown;
    }
  /** Nothing has happened yet: a person must approve it. */
  | { readonly state: 'ask'; readonly decision: Decision };

/** The outcome of a call that ended with an error. @throws the error if it says nothing about the call. */
export function toExecuted(
  error: unknown,
  { order, decision }: AuthorizedCall,
  { ms, isReverted, left = '' }: { ms: number; isReverted: boolean; left?: string },
): Executed {
  if (error instanceof Rejudged)
    return error.decision.verdict === 'ask'
      ? { state: 'ask', decision: error.decision }
      : { state: 'finished', outcome: refusal(error.decision), decision: error.decision, ms };
  if (error instanceof GitCheckFailed)
    return { state: 'finished', outcome: toUnchecked(error, isReverted), decision, ms };
  if (!isCancelled(order.signal)) throw error;
  const outcome = { ...stopped, text: stopped.text + left };
  return { state: 'finished', outcome, decision, ms, error };
}

export const createStopwatch = (): (() => number) => {
  const started = performance.now();
  return () => Math.round(performance.now() - started);
};
