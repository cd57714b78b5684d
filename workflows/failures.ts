import {
  ActivityFailure,
  ApplicationFailure,
  ContinueAsNew,
  rootCause,
} from '@temporalio/workflow';
import type { Budget } from '../policies/action.ts';
import type { RunStatus } from './contract.ts';

/** The run is over: thrown wherever that becomes clear, caught only in run.ts. */
export class RunEnd extends Error {
  override readonly name = 'RunEnd';
  readonly status: RunStatus;

  readonly limit: Budget | undefined;

  /** `summary` is the last thing a person reads; `limit` is the one that was reached. */
  constructor(status: RunStatus, summary: string, limit?: Budget) {
    super(summary);
    this.status = status;
    this.limit = limit;
  }
}

/**
 * What an error means for the run: an activity that failed for good ends it as failed. Anything else is a bug in
 * workflow code and is rethrown: Temporal then holds the run until a fixed worker comes, and nothing is lost.
 */
export function toRunEnd(error: unknown): RunEnd {
  if (error instanceof RunEnd) return error;
  if (error instanceof ContinueAsNew) throw error;
  if (isNotAnnounced(error)) return new RunEnd('denied', rootCause(error) ?? '');
  if (error instanceof ActivityFailure) {
    return new RunEnd(
      'failed',
      `${error.activityType} failed: ${rootCause(error) ?? error.message}`,
    );
  }
  throw error;
}

/** The worker refuses the run because it is not, or no longer, the operator's. */
export const isNotAnnounced = (error: unknown): boolean =>
  error instanceof ActivityFailure &&
  error.cause instanceof ApplicationFailure &&
  error.cause.type === 'NotAnnounced';
