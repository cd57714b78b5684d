/** The folder of a run: what the activities in it need, and whether it may be used. */
import { ApplicationFailure } from '@temporalio/activity';
import { realpathSync, statSync } from 'node:fs';
import type { Hook } from '../../policies/policy.ts';
import type { ActDependencies } from './call.ts';

export interface WorkspaceDependencies extends ActDependencies {
  /** Whether a run still goes on, so that what a terminated one held is free. */
  readonly isRunOpen: (run: string) => Promise<boolean>;
  /** The hooks a workspace asks for itself, or what is wrong with them. */
  readonly hooks: (
    workspace: string,
  ) => { readonly hooks: readonly Hook[] } | { readonly problem: string };
  /** Copies of workspaces, for steps that run beside each other. */
  readonly copiesDir: string;
  /** Copies that staged runs work in. */
  readonly stagedDir: string;
  /** Why no run may have a folder, as the end of a sentence; undefined when it may. */
  readonly offLimits: (folder: string) => string | undefined;
}

/** Whatever the run was announced with: the operator may have been misled, too. */
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
 * The folder's path, free of links. @throws ApplicationFailure `WorkspaceGone` or `OffLimits`, not retried: nobody but a person
 * can bring it back.
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
