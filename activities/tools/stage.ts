/** The copy a staged run works in. */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { OpenResult } from '../contract.ts';
import { WorkspaceBusy } from '../workspace/lease.ts';
import type { Transactions } from './transactions.ts';

interface StageOrder {
  readonly run: string;
  /** Absolute path of the copy. */
  readonly workspace: string;
  readonly stagedFrom: string;
}

export interface StageDependencies {
  readonly transactions: Transactions;
  readonly isRunOpen: (run: string) => Promise<boolean>;
}

/**
 * Makes the copy unless it is there; says why where it cannot be made. While the folder is copied no run may change it, and
 * afterwards it is free again.
 */
export async function openStage(
  { transactions, isRunOpen }: StageDependencies,
  { run, workspace, stagedFrom }: StageOrder,
): Promise<Extract<OpenResult, { ok: false }> | undefined> {
  if (existsSync(workspace)) return undefined;
  if (!existsSync(stagedFrom))
    return { ok: false, reason: `The workspace ${stagedFrom} does not exist on this host.` };
  const name = `${run}.stage`;
  try {
    await transactions.leases.claim(stagedFrom, name, isRunOpen);
  } catch (error) {
    if (!(error instanceof WorkspaceBusy)) throw error;
    const reason = `${error.message} A copy of it now would be of something half done: wait until it ends (agent run --wait), or end it.`;
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
