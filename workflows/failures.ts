import { ActivityFailure, ContinueAsNew, rootCause } from '@temporalio/workflow';
import type { RunStatus } from './contract.ts';

/** The run is over: thrown from wherever that became clear, caught in run.ts only. */
export class RunEnd extends Error {
  override readonly name = 'RunEnd';
  readonly status: RunStatus;

  /** `summary` is what a person reads last. */
  constructor(status: RunStatus, summary: string) {
    super(summary);
    this.status = status;
  }
}

/**
 * What an error means for the run: an activity that failed for good ends it as failed.
 * Everything else is a bug in workflow code and is thrown on: Temporal then holds the run until a fixed worker comes, and loses nothing.
 */
export function toRunEnd(error: unknown): RunEnd {
  if (error instanceof RunEnd) return error;
  if (error instanceof ContinueAsNew) throw error;
  if (error instanceof ActivityFailure) {
    return new RunEnd(
      'failed',
      `${error.activityType} failed: ${rootCause(error) ?? error.message}`,
    );
  }
  throw error;
}
