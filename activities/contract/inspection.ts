/** What workflows and activities exchange about the gate before the reviewer. Types only. */
import type { Ref, SnapshotId } from './refs.ts';

export interface InspectRequest {
  readonly run: string;
  readonly workspace: string;
  /** Snapshot from before the run. */
  readonly base: SnapshotId;
  readonly evidence?: Ref;
  /** The executor's account, one line per step; the reviewer judges weakened tests named here. */
  readonly claims: readonly string[];
  /** Absent in requests of older runs. */
  readonly goal?: string;
}

export interface InspectResult {
  /** Why the work cannot count as done, whatever anyone says; empty if there is no objection. */
  readonly problems: readonly string[];
  /** For the reviewer: the findings and the diff. */
  readonly findings: Ref;
  /** True if the goal may waive a usual requirement. */
  readonly mayBeWaived?: true;
}

/** On the workspace queue: sees the folder, asks no model. */
export interface InspectionActivities {
  inspectWork(request: InspectRequest): Promise<InspectResult>;
}
