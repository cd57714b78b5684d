/** What workflow code and activities say about bringing a staged run's change over. Types only. */
import type { SnapshotId } from './refs.ts';

/** `patch` changes files only; `commit` makes one commit of them besides, on what is checked out. */
export type PromotionMode = 'patch' | 'commit';

export interface PromoteRequest {
  readonly run: string;
  /** Who wants it: a person, or `policy`, which has to say so. */
  readonly by: string;
  readonly goal: string;
  /** Absolute path of the folder the change is brought to: the one the stage was copied from. */
  readonly target: string;
  /** Absolute path of the copy the run worked in. */
  readonly stage: string;
  /** Snapshots of the stage from before the run and from its end. */
  readonly base: SnapshotId;
  readonly tree: SnapshotId;
  readonly mode: PromotionMode;
}

export interface Promoted {
  readonly state: 'promoted';
  readonly mode: PromotionMode;
  /** Files of the target that changed, sorted, at most 50. */
  readonly changes: readonly string[];
  /** How many changed files were left out since git ignores them; absent for none. */
  readonly ignored?: number;
  /** Id of the commit that was made. */
  readonly commit?: string;
  /** Snapshots of the target from before and after: what an undo needs. */
  readonly before: SnapshotId;
  readonly after: SnapshotId;
  /** It had been applied before; nothing was done now. */
  readonly again?: true;
}

export type PromoteResult =
  | Promoted
  /** The target moved and these paths changed on both sides, at most 50. Nothing was changed. */
  | { readonly state: 'conflict'; readonly paths: readonly string[] }
  /** Nothing was changed. */
  | { readonly state: 'refused'; readonly reason: string }
  /** The run that has the target; it may be free later. */
  | { readonly state: 'busy'; readonly run: string }
  /** The policy leaves it to a person. */
  | { readonly state: 'manual' };

/** Run on the workspace queue of the host that has both folders. */
export interface PromotionActivities {
  promote(request: PromoteRequest): Promise<PromoteResult>;
}
