/** Prunes the snapshots of runs that ended long ago. */
import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { byHand, createLeases } from '../activities/files/lease.ts';
import { pruneStores } from '../activities/snapshots/prune.ts';
import type { NamedSnapshots } from '../activities/snapshots/prune.ts';
import { toStoreName } from '../activities/snapshots/snapshots.ts';
import { graceMs } from '../audit/record/sweep.ts';
import { readTrail } from '../audit/events/trail.ts';
import { toRunLog, toStateFolders } from '../config/folders.ts';

const dayMs = 86_400_000;

export interface SnapshotPruning {
  /** State folder. */
  readonly root: string;
  /** When each closed run ended, in milliseconds. */
  readonly closed: ReadonlyMap<string, number>;
  /** How long per-call snapshots of an ended run are kept. */
  readonly days: number;
  /** Objects used within this time stay. */
  readonly graceMs?: number;
}

/** Returns the pruned stores. */
export async function pruneSnapshots(order: SnapshotPruning): Promise<string[]> {
  const { root, closed, days } = order;
  const now = Date.now();
  const folders = toStateFolders(root);
  const leases = createLeases(folders.leases);
  const isOver = (run: string): boolean => (closed.get(run) ?? Infinity) < now - days * dayMs;
  await removeStages(folders.staged, isOver);
  return await pruneStores({
    root: folders.snapshots,
    runs: await readNamed(root),
    isOver,
    before: now - (order.graceMs ?? graceMs),
    whileFree: (store, clear) =>
      leases.whileFree(
        ({ workspace, run }, isHeld) =>
          toStoreName(folders.snapshots, workspace) === store &&
          (isHeld || !(closed.has(run) || run.startsWith(byHand))),
        clear,
      ),
  });
}

/** Removes copies of staged runs; their change can still be promoted, from the snapshots. */
async function removeStages(staged: string, isOver: (run: string) => boolean): Promise<void> {
  if (!existsSync(staged)) return;
  for (const run of await readdir(staged))
    if (isOver(run)) await rm(join(staged, run), { recursive: true, force: true });
}

async function readNamed(root: string): Promise<Map<string, NamedSnapshots>> {
  const runs = new Map<string, NamedSnapshots>();
  for (const name of await readdir(root)) {
    const run = /^run-(.+)\.jsonl$/.exec(name)?.[1];
    const trail = run === undefined ? undefined : await readTrail(toRunLog(root, run));
    if (run === undefined || trail === undefined) continue;
    // A false match keeps one snapshot too many; a missed one would lose data.
    const others = JSON.stringify(trail).match(/\b[0-9a-f]{40}\b/g) ?? [];
    const { base, tree } = trail;
    runs.set(run, { ends: [base, tree].filter((id) => id !== undefined), others });
  }
  return runs;
}
