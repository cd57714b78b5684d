/** Removes snapshots that nobody can ask for any more. */
import { existsSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createGit } from './git.ts';
import { openStore } from './snapshots.ts';
import type { Snapshots } from './snapshots.ts';

/** Snapshots named by a run's log. */
export interface NamedSnapshots {
  /** Before the run and after its last call, for `diff` and `undo`. */
  readonly ends: readonly string[];
  /** Points the run can go back to. */
  readonly others: readonly string[];
}

export interface PruneOrder {
  /** Folder containing the stores. */
  readonly root: string;
  readonly runs: ReadonlyMap<string, NamedSnapshots>;
  /** Whether a run ended so long ago that its per-call snapshots can go. */
  readonly isOver: (run: string) => boolean;
  /**
   * Objects used since then (milliseconds since the epoch) stay: a snapshot is written before the ref that names it.
   */
  readonly before: number;
  /** Runs `clear` while no workspace with this store is in use, and none can start; false if one is. */
  readonly whileFree: (store: string, clear: () => void) => Promise<boolean>;
}

/** Returns the pruned stores. Removals are independent, so it may be killed at any point. */
export async function pruneStores(order: PruneOrder): Promise<string[]> {
  const pruned: string[] = [];
  if (!existsSync(order.root)) return pruned;
  for (const name of readdirSync(order.root)) {
    if (!/^[0-9a-f]{16}\.git$/.test(name)) continue;
    const repository = join(order.root, name);
    // An index names objects that no ref does; dropping it makes the next scan look at every file.
    const isFree = await order.whileFree(name.slice(0, -4), () => removeIndexes(repository));
    if (!isFree) continue;
    await pruneStore(order, repository);
    pruned.push(name);
  }
  return pruned;
}

async function pruneStore(order: PruneOrder, repository: string): Promise<void> {
  const snapshots = openStore(repository);
  for (const [run, { ends, others }] of order.runs) {
    const isOver = order.isOver(run);
    await keepAll(snapshots, run, isOver ? ends : [...ends, ...others]);
    if (isOver) removeCalls(snapshots, run, new Set(ends));
  }
  const git = createGit('prune');
  const view = { repository, index: 'none', folder: repository };
  await git(view, ['prune', `--expire=${new Date(order.before).toISOString()}`]);
  pruneKept(join(repository, 'kept'), order.before);
}

/** Creates refs for what a log names; between calls nothing else protects it. */
async function keepAll(snapshots: Snapshots, run: string, trees: readonly string[]): Promise<void> {
  for (const tree of new Set(trees)) {
    if (snapshots.refs.list(`${run}/named/${tree}`).length > 0) continue;
    if (await snapshots.has(tree)) await snapshots.keep(`${run}/named/${tree}/`, tree);
  }
}

/** What was reverted from a person (`drift`, `undo`) stays. */
function removeCalls({ refs }: Snapshots, run: string, ends: ReadonlySet<string>): void {
  for (const name of refs.list(run)) {
    const [, part = '', tree = ''] = name.split('/');
    if (/^\d+$/.test(part)) refs.remove(`${run}/${part}`);
    else if (part === 'named' && !ends.has(tree)) refs.remove(`${run}/named/${tree}`);
  }
}

function removeIndexes(repository: string): void {
  for (const name of readdirSync(repository))
    if (name.startsWith('index-')) rmSync(join(repository, name), { force: true });
}

/** Removes stored objects the workspaces lost long ago; those they still have cost nothing. */
function pruneKept(folder: string, before: number): void {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const stat = lstatSync(file, { throwIfNoEntry: false });
    // ctime changes when the workspace's own link goes.
    if (stat?.nlink === 1 && stat.ctimeMs < before) rmSync(file, { force: true });
  }
}
