import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { PromoteDependencies } from '../../activities/act/promote.ts';
import { createTransactions } from '../../activities/act/transactions.ts';
import { createLeases } from '../../activities/files/lease.ts';
import { probeSandbox } from '../../activities/sandbox/sandbox.ts';
import { createBlobStore } from '../../audit/record/blobs.ts';
import { createAuditLog } from '../../audit/record/log.ts';
import { readSettings } from '../../config/environment.ts';
import { toStateFolders } from '../../config/folders.ts';
import { createOffLimits } from '../../config/off-limits.ts';
import { readPolicyBundle } from '../../config/policies.ts';
import { shippedDir } from '../policies/cases.ts';
import { builtIn } from '../../tools/built-in.ts';

/** What a worker with this state folder promotes with; runs named `open-…` go on. */
export async function openPromoter(state: string): Promise<PromoteDependencies> {
  const bundle = await readPolicyBundle(shippedDir);
  return {
    audit: createAuditLog(join(state, 'audit')),
    tools: builtIn,
    blobs: createBlobStore(join(state, 'blobs')),
    spillDir: join(state, 'spill'),
    policy: () => Promise.resolve(bundle),
    sandbox: await probeSandbox(
      existsSync('/usr/bin/bwrap') ? 'auto' : 'none',
      join(state, 'sandbox'),
    ),
    transactions: createTransactions(createLeases(join(state, 'leases')), join(state, 'snapshots')),
    approvers: () => [],
    stagedDir: join(state, 'staged'),
    offLimits: createOffLimits({
      ...readSettings({ env: {}, cwd: '/' }),
      folders: toStateFolders(state),
    }),
    isRunOpen: (run) => Promise.resolve(run.startsWith('open-')),
  };
}
