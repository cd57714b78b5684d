/** What workflows and the queue of the host with the folder exchange. Types only. */
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
  /** Set by runs that lease their workspace and keep snapshots of it. */
  readonly lease?: true;
  /** The run's origin: the workspace is restored to this snapshot, and created as a copy if it is another folder. */
  readonly from?: { readonly workspace: string; readonly tree: SnapshotId };
  /** The folder the workspace is a copy of, created if missing; the run leaves the original alone. */
  readonly stagedFrom?: string;
}

export type OpenResult =
  | {
      ok: true;
      facts: Ref;
      limits: Limits;
      /** Absent if the policy has none. */
      prices?: Prices;
      policy: string;
      sandbox: 'bubblewrap' | 'none' | 'unavailable';
      /** Tools this machine cannot run, so no model is offered them. */
      without?: readonly string[];
      /** Why commands are unavailable or unconfined, and what to do; absent if they are confined. */
      restricted?: string;
      /** Snapshot of what the run found; absent without a lease. */
      tree?: SnapshotId;
      /** Paths that snapshots leave out, at most 20. */
      uncovered?: readonly string[];
      /**
       * Settings of the workspace's git that start programs or lead elsewhere, with their files, at most 20; commands
       * run without them.
       */
      gitSettings?: readonly string[];
      /** Checked-out commit, empty if none; absent without a lease. */
      head?: string;
      /** Set if the folder's description (instructions, file names) counts as untrusted. */
      untrusted?: Untrusted;
      /** Independent steps the policy lets run at once; 1 if absent. */
      parallelSteps?: number;
      /** Commands the run must pass; absent if there are none. */
      hooks?: HooksInForce;
    }
  /** `busy`: the run that has the workspace; it may be free later. */
  | { ok: false; reason: string; busy?: string };

/** What to do if a person changed the workspace between steps. */
export type DriftPolicy = 'adopt' | 'restore' | 'ask';

export interface EnsureRequest {
  readonly run: string;
  readonly workspace: string;
  /** Snapshot the workspace should hold. */
  readonly tree: SnapshotId;
  /** Overrides the policy: a person's answer, or a rewind's need. */
  readonly drift?: DriftPolicy;
  /** The person's answer that `drift` comes from. */
  readonly approval?: Approval;
  /** True if the run goes back to an earlier step: it reverts its own changes. */
  readonly rewind?: true;
  /** The step about to begin and the run's state, from which it can be forked and restored. */
  readonly checkpoint?: Checkpoint;
}

/** A run's position at the start of a step; small, and sufficient to continue from. */
export interface Checkpoint {
  readonly step: string;
  /** All steps starting at once from here, `step` first; absent for a single step. */
  readonly batch?: readonly string[];
  /** The workflow's state, opaque here. */
  readonly state: unknown;
}

export interface EnsureResult {
  /** What the workspace holds now. */
  readonly tree: SnapshotId;
  /** Paths a person changed, at most 20; absent if none. */
  readonly drift?: readonly string[];
  /** What was done about it; `ask`: nothing yet. */
  readonly done?: DriftPolicy;
  /** Why the answer given is invalid, as a sentence. */
  readonly refused?: string;
}

/** A parallel step works in a copy of the workspace. */
export interface LaneRequest {
  readonly run: string;
  readonly workspace: string;
  /** Names the copy within the run. */
  readonly lane: string;
  /** Absent in older runs, which named copies `<round>-<step>`. */
  readonly step?: string;
  readonly tree: SnapshotId;
}

export interface LaneResult {
  /** Absolute path of the copy. */
  readonly workspace: string;
  readonly tree: SnapshotId;
}

/** Merges a copy's changes into the workspace. */
export interface MergeRequest extends LaneRequest {
  readonly laneWorkspace: string;
  /** The common ancestor; `tree` is what the workspace holds now. */
  readonly base: SnapshotId;
  readonly theirs: SnapshotId;
  /** Heads of the observation chains: both started at `from`; the copy's is appended to the run's. */
  readonly evidence: { readonly from?: Ref; readonly ours?: Ref; readonly theirs?: Ref };
  /** Steps of the batch merged before this one, and those that would have followed. */
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
  /** Snapshots before the run and at its end. */
  readonly trees?: { readonly before: SnapshotId; readonly after: SnapshotId };
}

export interface CloseResult {
  /** The whole report: goal, plan, what was done, changed files. */
  readonly report: Ref;
  /** Changed files, sorted, at most 50; without ignored ones. */
  readonly changes: readonly string[];
  /** Number of changed files that git ignores; absent if none. */
  readonly ignored?: number;
  /** Uncovered files changed since the run began, at most 20. */
  readonly left?: readonly string[];
}

/** On the workspace queue of the host with the folder: sees no key. */
export interface WorkspaceActivities extends PromotionActivities, InspectionActivities {
  openWorkspace(request: OpenRequest): Promise<OpenResult>;
  ensureWorkspace(request: EnsureRequest): Promise<EnsureResult>;
  openLane(request: LaneRequest): Promise<LaneResult>;
  mergeLane(request: MergeRequest): Promise<MergeResult>;
  act(request: ActRequest): Promise<ActResult>;
  closeRun(request: CloseRequest): Promise<CloseResult>;
}
