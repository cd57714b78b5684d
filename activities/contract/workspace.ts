/** What workflow code says to the queue of the host that has the folder. Types only. */
import type { Limits, Budget, Prices } from '../../policies/action.ts';
import type { Untrusted } from '../../policies/untrusted/untrusted.ts';
import type { ActRequest, ActResult } from './act.ts';
import type { Approval } from './approval.ts';
import type { HooksInForce } from './hooks.ts';
import type { InspectionActivities } from './inspection.ts';
import type { PromotionActivities } from './promotion.ts';
import type { Ref, SnapshotId } from './refs.ts';

export interface OpenRequest {
  readonly run: string;
  readonly workspace: string;
  /** Set by runs that hold their workspace by a lease and keep snapshots of it. */
  readonly lease?: true;
  /** Where the run comes from: its workspace is brought to this snapshot, and made as a copy if it is another folder. */
  readonly from?: { readonly workspace: string; readonly tree: SnapshotId };
  /** The folder the workspace is a copy of, made if it is not there yet: the run leaves that one alone. */
  readonly stagedFrom?: string;
}

export type OpenResult =
  | {
      ok: true;
      facts: Ref;
      limits: Limits;
      /** Absent when the policy has none. */
      prices?: Prices;
      policy: string;
      sandbox: 'bubblewrap' | 'none' | 'unavailable';
      /** What commands lack on this machine, and what to do about it; absent where they are confined. */
      restricted?: string;
      /** Snapshot of what the run found; absent without a lease. */
      tree?: SnapshotId;
      /** Paths that snapshots leave out, at most 20. */
      uncovered?: readonly string[];
      /** Settings of the workspace's git that start programs or lead elsewhere, with their files, at most 20; commands do without them. */
      gitSettings?: readonly string[];
      /** Commit that is checked out, empty for none; absent without a lease. */
      head?: string;
      /** Set when the folder's own description counts as untrusted: its instructions, its file names. */
      untrusted?: Untrusted;
      /** Independent steps the policy lets run at once; 1 if absent. */
      parallelSteps?: number;
      /** Commands the run must leave green; absent when there are none. */
      hooks?: HooksInForce;
    }
  /** `busy`: the run that has the workspace; it may be free later. */
  | { ok: false; reason: string; busy?: string };

/** What to do when a person changed the workspace between steps. */
export type DriftPolicy = 'adopt' | 'restore' | 'ask';

export interface EnsureRequest {
  readonly run: string;
  readonly workspace: string;
  /** Snapshot the workspace should hold. */
  readonly tree: SnapshotId;
  /** Overrides the policy: what a person answered, or what a rewind needs. */
  readonly drift?: DriftPolicy;
  /** The person's answer that `drift` comes from. */
  readonly approval?: Approval;
  /** True when the run goes back to an earlier step: what is reverted is its own. */
  readonly rewind?: true;
  /** The step that is about to begin, and where the run stands: from here it can be forked and restored. */
  readonly checkpoint?: Checkpoint;
}

/** Where a run stands at the start of a step; small, and all that is needed to go on from there. */
export interface Checkpoint {
  readonly step: string;
  /** All the steps that begin at once from here, `step` the first of them; absent for one that begins alone. */
  readonly batch?: readonly string[];
  /** The run's state as the workflow keeps it, opaque out here. */
  readonly state: unknown;
}

export interface EnsureResult {
  /** What the workspace holds now. */
  readonly tree: SnapshotId;
  /** Paths a person had changed, at most 20; absent when there were none. */
  readonly drift?: readonly string[];
  /** What was done about it; `ask`: nothing yet. */
  readonly done?: DriftPolicy;
  /** Why the answer that was given does not count, as a sentence. */
  readonly refused?: string;
}

/** A step that runs beside others works in a copy of the workspace. */
export interface LaneRequest {
  readonly run: string;
  readonly workspace: string;
  /** Names the copy within the run. */
  readonly lane: string;
  /** Absent in older runs, which named lanes `<round>-<step>`. */
  readonly step?: string;
  readonly tree: SnapshotId;
}

export interface LaneResult {
  /** Absolute path of the copy. */
  readonly workspace: string;
  readonly tree: SnapshotId;
}

/** Brings what a lane did into the workspace. */
export interface MergeRequest extends LaneRequest {
  readonly laneWorkspace: string;
  /** Snapshot both began from; `tree` is what the workspace holds now. */
  readonly base: SnapshotId;
  readonly theirs: SnapshotId;
  /** Heads of the chains of observations: both began from `from`; the lane's goes behind the run's. */
  readonly evidence: { readonly from?: Ref; readonly ours?: Ref; readonly theirs?: Ref };
  /** Steps of the batch that were merged before this one, and those that would have come after it. */
  readonly batch?: { readonly merged: readonly string[]; readonly left: readonly string[] };
}

export type MergeResult =
  | { readonly ok: true; readonly tree: SnapshotId; readonly evidence?: Ref }
  /** Nothing was merged. `notes` has both diffs, for the planner. */
  | { readonly ok: false; readonly paths: readonly string[]; readonly notes: Ref };

export interface CloseRequest {
  readonly run: string;
  readonly workspace: string;
  readonly status: string;
  readonly summary: string;
  /** The limit that ended the run. */
  readonly limit?: Budget;
  readonly evidence?: Ref;
  /** Snapshots from before the run and from its end. */
  readonly trees?: { readonly before: SnapshotId; readonly after: SnapshotId };
}

export interface CloseResult {
  /** The whole report: goal, plan, what was done, changed files. */
  readonly report: Ref;
  /** Files that changed, sorted, at most 50; without what git ignores. */
  readonly changes: readonly string[];
  /** How many files changed that git ignores; absent for none. */
  readonly ignored?: number;
  /** Changed since the run began and in no snapshot, at most 20. */
  readonly left?: readonly string[];
}

/** Run on the workspace queue of the host that has the folder: sees no key. */
export interface WorkspaceActivities extends PromotionActivities, InspectionActivities {
  openWorkspace(request: OpenRequest): Promise<OpenResult>;
  ensureWorkspace(request: EnsureRequest): Promise<EnsureResult>;
  openLane(request: LaneRequest): Promise<LaneResult>;
  mergeLane(request: MergeRequest): Promise<MergeResult>;
  act(request: ActRequest): Promise<ActResult>;
  closeRun(request: CloseRequest): Promise<CloseResult>;
}
