/** Applies a staged run's change to its target folder, in one transaction. */
import { existsSync, realpathSync } from 'node:fs';
import { hashOf } from '../../audit/record/blobs.ts';
import { toCanonical } from '../../audit/record/canonical.ts';
import { failpoint } from '../../audit/record/failpoint.ts';
import type { Decision } from '../../policies/action.ts';
import type { Promoted, PromoteRequest, PromoteResult } from '../contract/promotion.ts';
import { removeTree } from '../files/remove.ts';
import { GitError } from '../snapshots/git.ts';
import { RestoreError } from '../snapshots/restore.ts';
import type { Snapshots } from '../snapshots/snapshots.ts';
import { WorkspaceBusy } from '../files/lease.ts';
import type { ActDependencies } from './call.ts';
import { CommitRefused, createCommitter } from './promote-commit.ts';
import type { Committer } from './promote-commit.ts';
import { isStage, renderNoStage } from './stage.ts';
import type { HeldLease } from '../files/lease.ts';
import type { Transactions } from './transactions.ts';

export interface PromoteDependencies extends ActDependencies {
  readonly isRunOpen: (run: string) => Promise<boolean>;
  /** Where the copies of staged runs are. */
  readonly stagedDir: string;
  /** Why a folder is off limits, as the end of a sentence. */
  readonly offLimits: (folder: string) => string | undefined;
}

const maxNamed = 50;

/** A promotion is the operator's order, not a tool call: tool rules do not apply. */
const decision: Decision = {
  verdict: 'allow',
  rule: 'promotion',
  effect: 'workspace',
  reason: 'The operator applies the changes of a staged run.',
};

/** Both sides changed the same paths. Nothing was done. */
class Conflict extends Error {
  override readonly name = 'Conflict';
  readonly paths: readonly string[];

  constructor(paths: readonly string[]) {
    super(`both sides changed ${paths.join(', ')}`);
    this.paths = paths;
  }
}

/** Errors that leave the folder unchanged, as if the promotion had never begun. */
const isRefusal = (error: unknown): error is Error =>
  error instanceof Conflict ||
  error instanceof CommitRefused ||
  error instanceof RestoreError ||
  error instanceof GitError;

/** A promotion's name in leases and refs; run names contain no dots. */
const toName = (run: string): string => `${run}.promotion`;

const toDigest = ({ run, base, tree }: Pick<PromoteRequest, 'run' | 'base' | 'tree'>): string =>
  hashOf(toCanonical({ run, base, tree }));

/** The result of a run's promotion; undefined if its change was not applied. */
export async function recallPromotion(
  transactions: Transactions,
  request: Pick<PromoteRequest, 'run' | 'base' | 'tree' | 'target'>,
): Promise<Kept | undefined> {
  const call = { workspace: request.target, run: toName(request.run), seq: 1 };
  const recalled = await transactions.recall<Kept>({ ...call, digest: toDigest(request) });
  return recalled?.state === 'committed' ? recalled.result : undefined;
}

/** For a change that was reverted in the target: it can be applied again. */
export const forgetPromotion = ({ refs }: Snapshots, run: string): void => refs.remove(toName(run));

/** Safe to repeat: applies a change only once. */
export async function promote(
  dependencies: PromoteDependencies,
  request: PromoteRequest,
  signal: AbortSignal,
): Promise<PromoteResult> {
  const { run, target, stage, by } = request;
  // It gets removed in the end.
  if (!isStage(dependencies.stagedDir, stage))
    return { state: 'refused', reason: renderNoStage(stage) };
  if (!existsSync(target))
    return { state: 'refused', reason: `The folder ${target} no longer exists.` };
  const root = realpathSync(target);
  const why = dependencies.offLimits(root);
  if (why !== undefined) return { state: 'refused', reason: `${root} is off limits: ${why}.` };
  const { policy, problem } = await dependencies.policy(root);
  if (problem !== undefined) return { state: 'refused', reason: problem };
  if (by === 'policy' && policy.workspace.promote !== 'auto') return { state: 'manual' };
  const { leases } = dependencies.transactions;
  const name = toName(run);
  try {
    await leases.claim(root, name, dependencies.isRunOpen);
  } catch (error) {
    if (error instanceof WorkspaceBusy) return { state: 'busy', run: error.run };
    throw error;
  }
  try {
    const result = await bringOver(dependencies, { ...request, target: root }, signal);
    // Everything in it is also in the snapshots.
    removeTree(request.stage);
    return result;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return await refuse(dependencies, request, error);
  } finally {
    await leases.release(name);
  }
}

async function refuse(
  { audit }: PromoteDependencies,
  request: PromoteRequest,
  error: Error,
): Promise<PromoteResult> {
  const result: PromoteResult =
    error instanceof Conflict
      ? { state: 'conflict', paths: error.paths.slice(0, maxNamed) }
      : { state: 'refused', reason: error.message };
  await audit.append({ ...toAuditLine(request), ...result });
  return result;
}

const toAuditLine = ({ run, by, target, mode }: PromoteRequest) => ({
  kind: 'promotion' as const,
  time: new Date().toISOString(),
  run,
  step: '',
  by,
  target,
  mode,
});

/** What the store keeps of a promotion. */
export type Kept = Pick<Promoted, 'mode' | 'changes' | 'ignored' | 'commit' | 'before' | 'after'>;

async function bringOver(
  dependencies: PromoteDependencies,
  request: PromoteRequest,
  signal: AbortSignal,
): Promise<Promoted> {
  const { audit, transactions } = dependencies;
  const { run, target, mode } = request;
  const name = toName(run);
  // People change the folder at will, so look at its actual content.
  const found = await transactions.exclusive(target, name, async ({ snapshots, know }) => {
    const captured = await snapshots.capture();
    know(captured.tree);
    return captured.tree;
  });
  const ended = await transactions.transact<Omit<Kept, 'before' | 'after'>, Kept>(
    {
      workspace: target,
      run: name,
      seq: 1,
      tree: found,
      signal,
      decision,
      digest: toDigest(request),
      isRolledBack: isRefusal,
      begin: async () => void (await audit.append({ ...toAuditLine(request), state: 'begun' })),
    },
    async (_signal, lease, before) => {
      const committer =
        mode === 'patch' ? undefined : createCommitter(dependencies, request, lease, signal);
      return { outcome: { mode, ...(await apply(request, before, lease, committer)) } };
    },
    (outcome, { pre, post }) => Promise.resolve({ ...outcome, before: pre, after: post }),
  );
  if (ended.state === 'unknown' || ended.state === 'held')
    throw new Error('A promotion can always be repeated, and its order approves it.');
  const again = ended.state === 'stored';
  const told = again && (await audit.has({ kind: 'promotion', run, state: 'promoted' }));
  const result: Promoted = { state: 'promoted', ...ended.result, again: again || undefined };
  const { changes: paths, ...rest } = result;
  if (!told) await audit.append({ ...toAuditLine(request), ...rest, paths });
  return result;
}

/** Three-way, because the folder may have changed: applies the whole change or, on conflict, nothing. */
async function apply(
  { base, tree, stage }: PromoteRequest,
  { tree: ours, snapshots }: { readonly tree: string; readonly snapshots: Snapshots },
  lease: HeldLease,
  committer: Committer | undefined,
): Promise<Pick<Kept, 'changes' | 'ignored' | 'commit'>> {
  if (!(await snapshots.has(base)) || !(await snapshots.has(tree)))
    throw new GitError('The snapshots of the run are no longer in the state folder.');
  const { tree: theirs, ignored } = await snapshots.withoutIgnored(base, tree);
  const merged = await snapshots.merge({ base, ours, theirs, filesOnly: true });
  if (!merged.ok) throw new Conflict(merged.paths);
  const changed = (await snapshots.compare(ours, merged.tree)).map(({ path }) => path).toSorted();
  await committer?.check(changed);
  if (existsSync(stage)) await snapshots.fetchObjects(stage, merged.tree);
  lease.check();
  failpoint('promote.before');
  await snapshots.restore(merged.tree);
  failpoint('promote.after');
  const commit = changed.length === 0 ? undefined : await committer?.commit(changed);
  return {
    changes: changed.slice(0, maxNamed),
    ignored: ignored.length === 0 ? undefined : ignored.length,
    commit,
  };
}
