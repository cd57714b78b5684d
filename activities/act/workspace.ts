/** A run's folder: what its activities need, and whether it may be used. */
import { ApplicationFailure } from '@temporalio/activity';
import { realpathSync, statSync } from 'node:fs';
import type { Hook } from '../../policies/policy.ts';
import type { ActDependencies } from './call.ts';

export interface WorkspaceDependencies extends ActDependencies {
  /** Whether a run is still open; a terminated run's leases are free. */
  readonly isRunOpen: (run: string) => Promise<boolean>;
  /** The workspace's own hooks, or what is wrong with them. */
  readonly hooks: (
    workspace: string,
  ) => { readonly hooks: readonly Hook[] } | { readonly problem: string };
  /** Copies of workspaces for parallel steps. */
  readonly copiesDir: string;
  /** Copies that staged runs work in. */
  readonly stagedDir: string;
  /** Why a folder is off limits, as the end of a sentence; undefined if it is not. */
  readonly offLimits: (folder: string) => string | undefined;
}

/** Checked whatever was announced, because the operator may have been misled too. */
export function findForbidden(
  { offLimits }: WorkspaceDependencies,
  folder: string | undefined,
): string | undefined {
  const why = folder === undefined ? undefined : offLimits(folder);
  return why === undefined ? undefined : `No run may work in ${folder}: ${why}.`;
}

export function findProblem(workspace: string): string | undefined {
  try {
    return statSync(workspace).isDirectory()
      ? undefined
      : `The workspace ${workspace} is not a folder.`;
  } catch {
    return `The workspace ${workspace} does not exist on this host.`;
  }
}

/**
 * The folder's path, free of links. @throws ApplicationFailure `WorkspaceGone` or `OffLimits`, not retried: only a
 * person can fix that.
 */
export function requireWorkspace(dependencies: WorkspaceDependencies, workspace: string): string {
  const problem = findProblem(workspace);
  if (problem !== undefined)
    throw ApplicationFailure.nonRetryable(
      `${problem} Its snapshots are kept: agent fork makes a copy as it was before any step.`,
      'WorkspaceGone',
    );
  const root = realpathSync(workspace);
  const why = findForbidden(dependencies, root);
  if (why !== undefined) throw ApplicationFailure.nonRetryable(why, 'OffLimits');
  return root;
}
