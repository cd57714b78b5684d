/** What workflows and activities exchange about applying a staged run's change. Types only. */
import type { SnapshotId } from './refs.ts';

/** `patch` only changes files; `commit` also commits them to the checked-out branch. */
export type PromotionMode = 'patch' | 'commit';

export interface PromoteRequest {
  readonly run: string;
  /** Who wants it: a person, or `policy`, which must then allow it. */
  readonly by: string;
  readonly goal: string;
  /** Absolute path of the target folder, from which the stage was copied. */
  readonly target: string;
  /** Absolute path of the copy the run worked in. */
  readonly stage: string;
  /** Snapshots of the stage before the run and at its end. */
  readonly base: SnapshotId;
  readonly tree: SnapshotId;
  readonly mode: PromotionMode;
}

export interface Promoted {
  readonly state: 'promoted';
  readonly mode: PromotionMode;
  /** Changed files of the target, sorted, at most 50. */
  readonly changes: readonly string[];
  /** How many changed files were left out because git ignores them; absent if none. */
  readonly ignored?: number;
  /** Id of the commit made. */
  readonly commit?: string;
  /** Snapshots of the target before and after, for undo. */
  readonly before: SnapshotId;
  readonly after: SnapshotId;
  /** It had already been applied; nothing was done now. */
  readonly again?: true;
}

export type PromoteResult =
  | Promoted
  /** The target changed and these paths conflict, at most 50. Nothing was changed. */
  | { readonly state: 'conflict'; readonly paths: readonly string[] }
  /** Nothing was changed. */
  | { readonly state: 'refused'; readonly reason: string }
  /** The run holding the target; it may be free later. */
  | { readonly state: 'busy'; readonly run: string }
  /** The policy leaves it to a person. */
  | { readonly state: 'manual' };

/** On the workspace queue of the host that has both folders. */
export interface PromotionActivities {
  promote(request: PromoteRequest): Promise<PromoteResult>;
}
