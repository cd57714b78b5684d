/** The copy a staged run works in. */
import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { OpenResult } from '../contract/workspace.ts';
import { WorkspaceBusy } from '../files/lease.ts';
import type { Transactions } from './transactions.ts';

interface StageOrder {
  readonly run: string;
  /** Absolute path of the copy. */
  readonly workspace: string;
  readonly stagedFrom: string;
}

export interface StageDependencies {
  /** Where the copies of staged runs are. */
  readonly stagedDir: string;
  readonly transactions: Transactions;
  readonly isRunOpen: (run: string) => Promise<boolean>;
}

/**
 * Creates the copy unless it exists; says why if it cannot. No run may change the folder while it is copied; afterwards
 * it is free again.
 */
export async function openStage(
  { transactions, isRunOpen, stagedDir }: StageDependencies,
  { run, workspace, stagedFrom }: StageOrder,
): Promise<Extract<OpenResult, { ok: false }> | undefined> {
  if (!isStage(stagedDir, workspace)) return { ok: false, reason: renderNoStage(workspace) };
  if (existsSync(workspace)) return undefined;
  if (!existsSync(stagedFrom))
    return { ok: false, reason: `The workspace ${stagedFrom} does not exist on this host.` };
  const name = `${run}.stage`;
  try {
    await transactions.leases.claim(stagedFrom, name, isRunOpen);
  } catch (error) {
    if (!(error instanceof WorkspaceBusy)) throw error;
    const reason = `${error.message} A copy made now would hold half-finished work: wait until it ends (agent run --wait), or end it.`;
    return { ok: false, reason, busy: error.run };
  }
  try {
    mkdirSync(dirname(workspace), { recursive: true, mode: 0o700 });
    await transactions.copy(stagedFrom, workspace);
    return undefined;
  } finally {
    await transactions.leases.release(name);
  }
}

/** True for a path of such a copy: in a run's folder, and written without detours. */
export const isStage = (stagedDir: string, path: string): boolean =>
  path === resolve(path) && toReal(dirname(dirname(path))) === toReal(stagedDir);

export const renderNoStage = (path: string): string =>
  `${path} cannot hold the copy of a staged run.`;

/** With links resolved as far as the path exists. */
function toReal(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  const parent = dirname(path);
  return parent === path ? path : join(toReal(parent), basename(path));
}
