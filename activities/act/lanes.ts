/** Parallel steps: a copy of the workspace for each, and the merge. */
import { ApplicationFailure } from '@temporalio/common';
import { existsSync, realpathSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { BlobStore } from '../../audit/record/blobs.ts';
import { failpoint } from '../../audit/record/failpoint.ts';
import type { Ref } from '../contract/refs.ts';
import type { LaneRequest, LaneResult, MergeRequest, MergeResult } from '../contract/workspace.ts';
import { readEvidence } from '../evidence.ts';
import { removeTree } from '../files/remove.ts';
import type { FileChange } from '../snapshots/snapshots.ts';
import type { ActDependencies } from './call.ts';
import { ensureTree } from './drift.ts';
import { findMixed } from './screen.ts';
import type { Transactions } from './transactions.ts';

const maxDiffLength = 8_000;
const maxNamed = 20;

export interface LaneDependencies {
  readonly blobs: BlobStore;
  readonly transactions: Transactions;
  readonly policy: ActDependencies['policy'];
  /** Where copies are while their steps run. */
  readonly copiesDir: string;
}

export async function openLane(
  { transactions, copiesDir }: LaneDependencies,
  { run: id, workspace, lane, tree }: LaneRequest,
): Promise<LaneResult> {
  if (!isPlainName(id) || !isPlainName(lane))
    throw ApplicationFailure.nonRetryable(
      `${id}/${lane} is not a valid name for a copy.`,
      'NoSuchPlace',
    );
  const copy = await transactions.copy(workspace, join(copiesDir, id, lane));
  await ensureTree(transactions, { workspace: copy, run: id, tree, drift: 'restore' });
  return { workspace: copy, tree };
}

const isPlainName = (name: string): boolean => /^[\w-][\w.-]*$/.test(name);

/** Merges a worktree into the workspace; on conflict, reports it and changes nothing. Safe to repeat. */
export async function mergeLane(
  { transactions, blobs, policy: rules }: LaneDependencies,
  request: MergeRequest,
): Promise<MergeResult> {
  const { run: id, workspace, laneWorkspace, base, tree, theirs } = request;
  return await transactions.exclusive(workspace, id, async ({ snapshots, know }) => {
    // Someone may have changed files, or an earlier attempt was interrupted: the current content is our side.
    const { tree: found } = await snapshots.capture();
    const ours = (await snapshots.compare(tree, found)).length === 0 ? tree : found;
    const merged = await snapshots.merge({ base, ours, theirs });
    const { policy } = await rules(workspace);
    const mixed = merged.ok
      ? await findMixed(snapshots, policy, { ours, theirs, merged: merged.tree })
      : merged.paths;
    if (!merged.ok || mixed.length > 0) {
      const text = renderConflict(request, mixed, {
        ours: await snapshots.renderDiff(base, ours),
        theirs: await snapshots.renderDiff(base, theirs),
        changed: ours === tree ? [] : await snapshots.compare(tree, ours),
      });
      return { ok: false, paths: mixed.slice(0, 20), notes: await blobs.put(text) };
    }
    await snapshots.fetchObjects(laneWorkspace, theirs);
    failpoint('merge.before');
    await snapshots.restore(merged.tree);
    failpoint('merge.after');
    know(merged.tree);
    const evidence = await appendEvidence(blobs, request.evidence);
    return { ok: true, tree: merged.tree, evidence };
  });
}

interface Sides {
  readonly ours: string;
  readonly theirs: string;
  /** What others changed in the workspace while the steps ran. */
  readonly changed: readonly FileChange[];
}

/** Tells the planner what was merged, what was not, and what conflicted. */
function renderConflict(
  { lane, step = lane, batch = { merged: [], left: [] } }: MergeRequest,
  paths: readonly string[],
  { ours, theirs, changed }: Sides,
): string {
  const foreign = changed.slice(0, maxNamed).map(({ path }) => path);
  return [
    `Steps that ran in parallel changed the same places: ${paths.join(', ')}. The work of step ${step} was not merged.`,
    `Merged into the workspace: ${toNames(batch.merged)}. Not merged: ${toNames([step, ...batch.left])}.`,
    ...(foreign.length === 0
      ? []
      : [
          `Changed in the workspace in the meantime, not by any of the steps: ${foreign.join(', ')}.`,
        ]),
    `Changes in the workspace since the steps began:\n${ours.slice(0, maxDiffLength)}`,
    `Changes of step ${step} that were not merged:\n${theirs.slice(0, maxDiffLength)}`,
  ].join('\n\n');
}

const toNames = (ids: readonly string[]): string => (ids.length === 0 ? 'none' : ids.join(', '));

/** Removes a run's copies, after killing what still runs in them. */
export async function removeLanes(
  { transactions, copiesDir }: Omit<LaneDependencies, 'policy'>,
  id: string,
): Promise<void> {
  const folder = join(copiesDir, id);
  if (!isPlainName(id) || !existsSync(folder)) return;
  const inside = `${realpathSync(folder)}${sep}`;
  for (const { run: of, workspace } of transactions.leases.list())
    if (of === id && workspace.startsWith(inside) && existsSync(workspace))
      await transactions.exclusive(workspace, id, () => Promise.resolve());
  removeTree(folder);
}

/** Appends a worktree's observations to the run's: one chain, as if it had run after them. */
async function appendEvidence(
  blobs: BlobStore,
  { from, ours, theirs }: MergeRequest['evidence'],
): Promise<Ref | undefined> {
  let head = ours;
  for (const { previous: _, ...observation } of await readEvidence(blobs, theirs, from))
    head = await blobs.putJson({ ...observation, previous: head });
  return head;
}
