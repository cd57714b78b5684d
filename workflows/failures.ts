import {
  ActivityFailure,
  ApplicationFailure,
  ContinueAsNew,
  rootCause,
} from '@temporalio/workflow';
import type { Budget } from '../policies/action.ts';
import type { RunStatus } from './contract.ts';

/** The run is over: thrown from wherever that became clear, caught in run.ts only. */
export class RunEnd extends Error {
  override readonly name = 'RunEnd';
  readonly status: RunStatus;

  readonly limit: Budget | undefined;

  /** `summary` is what a person reads last; `limit` is the one that was reached. */
  constructor(status: RunStatus, summary: string, limit?: Budget) {
    super(summary);
    this.status = status;
    this.limit = limit;
  }
}

/**
 * What an error means for the run: an activity that failed for good ends it as failed.
 * Everything else is a bug in workflow code and is thrown on: Temporal then holds the run until a fixed worker comes, and loses nothing.
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

/** The worker does not carry the run out: it is not the operator's, or no longer. */
export const isNotAnnounced = (error: unknown): boolean =>
  error instanceof ActivityFailure &&
  error.cause instanceof ApplicationFailure &&
  error.cause.type === 'NotAnnounced';
