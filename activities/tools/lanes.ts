/** Steps that run beside each other: a copy of the workspace for each, and the way back. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { BlobStore } from '../../audit/blobs.ts';
import type {
  LaneRequest,
  LaneResult,
  MergeRequest,
  MergeResult,
  Observation,
  Ref,
} from '../contract.ts';
import { ensureTree } from './drift.ts';
import type { Transactions } from './transactions.ts';

const longestDiff = 8_000;

export interface LaneDependencies {
  readonly blobs: BlobStore;
  readonly transactions: Transactions;
  /** Where copies are kept while their steps run. */
  readonly copiesDir: string;
}

export async function openLane(
  { transactions, copiesDir }: LaneDependencies,
  { run: id, workspace, lane, tree }: LaneRequest,
): Promise<LaneResult> {
  const copy = await transactions.copy(workspace, join(copiesDir, id, lane));
  await ensureTree(transactions, { workspace: copy, run: id, tree, drift: 'restore' });
  return { workspace: copy, tree };
}

/** Merges a lane into the workspace, or tells of the conflict and changes nothing. Safe to repeat. */
export async function mergeLane(
  { transactions, blobs }: LaneDependencies,
  request: MergeRequest,
): Promise<MergeResult> {
  const { run: id, workspace, laneWorkspace, base, tree, theirs, lane } = request;
  return await transactions.exclusive(workspace, id, async ({ snapshots, know }) => {
    // Somebody may have changed files meanwhile, or an earlier try was cut short: what is there now is our side.
    const { tree: found } = await snapshots.capture();
    const ours = (await snapshots.compare(tree, found)).length === 0 ? tree : found;
    const merged = await snapshots.merge({ base, ours, theirs });
    if (!merged.ok) {
      const [own, other] = [
        await snapshots.renderDiff(base, ours),
        await snapshots.renderDiff(base, theirs),
      ];
      const text = [
        `Steps that ran at the same time changed the same places: ${merged.paths.join(', ')}. The work of step ${lane} was not merged.`,
        `Merged so far:\n${own.slice(0, longestDiff)}`,
        `Not merged, of step ${lane}:\n${other.slice(0, longestDiff)}`,
      ].join('\n\n');
      return { ok: false, paths: merged.paths.slice(0, 20), notes: await blobs.put(text) };
    }
    await snapshots.fetchObjects(laneWorkspace, theirs);
    await snapshots.restore(merged.tree);
    know(merged.tree);
    const evidence = await appendEvidence(blobs, request.evidence);
    return { ok: true, tree: merged.tree, ...(evidence === undefined ? {} : { evidence }) };
  });
}

/** Removes the copies of a run. */
export function removeLanes(copiesDir: string, id: string): void {
  rmSync(join(copiesDir, id), { recursive: true, force: true });
}

/** Puts the observations of a lane behind those of the run: one chain, as if it had run after them. */
async function appendEvidence(
  blobs: BlobStore,
  { from, ours, theirs }: MergeRequest['evidence'],
): Promise<Ref | undefined> {
  const lane: Observation[] = [];
  for (let next = theirs; next !== undefined && next !== from;) {
    const observation = await blobs.getJson<Observation>(next);
    lane.push(observation);
    next = observation.previous;
  }
  let head = ours;
  for (const { previous: _, ...observation } of lane.toReversed())
    head = await blobs.putJson({
      ...observation,
      ...(head === undefined ? {} : { previous: head }),
    });
  return head;
}
