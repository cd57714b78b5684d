/** Clears the stores of snapshots that nobody can ask for any more. */
import { existsSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createGit } from './git.ts';
import { openStore } from './snapshots.ts';
import type { Snapshots } from './snapshots.ts';

/** Snapshots that the log of a run names. */
export interface NamedSnapshots {
  /** From before the run, and after its last call: what `diff` and `undo` need. */
  readonly ends: readonly string[];
  /** Where the run can go back to. */
  readonly others: readonly string[];
}

export interface PruneOrder {
  /** Folder of the stores. */
  readonly root: string;
  readonly runs: ReadonlyMap<string, NamedSnapshots>;
  /** Whether a run ended so long ago that its single calls are given up. */
  readonly isOver: (run: string) => boolean;
  /** Objects that were used since, in milliseconds of the epoch, stay: a snapshot is written before the ref that names it. */
  readonly before: number;
  /** Runs `clear` while nobody is at work in a workspace with this store, and nobody can begin; false where somebody is. */
  readonly whileFree: (store: string, clear: () => void) => Promise<boolean>;
}

/** Returns the stores that were pruned. Each removal stands alone, so it may be killed at any point. */
export async function pruneStores(order: PruneOrder): Promise<string[]> {
  const pruned: string[] = [];
  if (!existsSync(order.root)) return pruned;
  for (const name of readdirSync(order.root)) {
    if (!/^[0-9a-f]{16}\.git$/.test(name)) continue;
    const repository = join(order.root, name);
    // An index names objects no ref does: whoever is next looks at every file anew.
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

/** Refs for what a log names: between two calls no other may. */
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

/** Objects of workspaces' repositories that the workspaces lost long ago; one they still have costs nothing. */
function pruneKept(folder: string, before: number): void {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const stat = lstatSync(file, { throwIfNoEntry: false });
    // Changes when the workspace's own link goes.
    if (stat?.nlink === 1 && stat.ctimeMs < before) rmSync(file, { force: true });
  }
}
