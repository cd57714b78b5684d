/** What workflow code and activities say about the gate before the reviewer. Types only. */
import type { Ref, SnapshotId } from './refs.ts';

export interface InspectRequest {
  readonly run: string;
  readonly workspace: string;
  /** Snapshot from before the run. */
  readonly base: SnapshotId;
  readonly evidence?: Ref;
  /** What the executor says it did, one line per step; a weakened test that is named here is the reviewer's to judge. */
  readonly claims: readonly string[];
  /** Absent in requests of older runs. */
  readonly goal?: string;
}

export interface InspectResult {
  /** Why the work cannot count as done, whatever anybody says; empty when nothing speaks against it. */
  readonly problems: readonly string[];
  /** Text for the reviewer: what was found, and the diff. */
  readonly findings: Ref;
  /** True when the goal can mean that something usual is not wanted. */
  readonly mayBeWaived?: true;
}

/** Run on the workspace queue: sees the folder, and asks no model. */
export interface InspectionActivities {
  inspectWork(request: InspectRequest): Promise<InspectResult>;
}
