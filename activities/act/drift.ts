import { log } from '@temporalio/activity';
import type { SnapshotId } from '../contract/refs.ts';
import type { DriftPolicy, EnsureResult } from '../contract/workspace.ts';
import type { Opened, Transactions } from './transactions.ts';

interface Expectation {
  readonly workspace: string;
  readonly run: string;
  readonly tree: SnapshotId;
  readonly drift: DriftPolicy;
}

const maxNamed = 20;

/**
 * Makes sure that the workspace holds what the run expects: after a rewind, on another host, or if a person changed
 * files between two steps. A single check if nothing changed.
 */
export const ensureTree = (
  transactions: Transactions,
  expected: Expectation,
): Promise<EnsureResult> =>
  transactions.exclusive(expected.workspace, expected.run, (opened) => settle(opened, expected));

async function settle(
  { snapshots, know }: Opened,
  { run, tree, drift }: Expectation,
): Promise<EnsureResult> {
  const { tree: found } = await snapshots.capture();
  if (found === tree) {
    know(tree);
    return { tree };
  }
  // A log restored on another machine: its snapshots are not here.
  if (!(await snapshots.has(tree))) {
    know(found);
    return { tree: found, drift: [], done: 'adopt' };
  }
  const changes = await snapshots.compare(tree, found);
  // Only uncovered files or git's own notes differ, as after a `git status`: nobody's work.
  const isSame =
    changes.length === 0 && (drift !== 'restore' || (await snapshots.isSame(tree, found)));
  if (isSame) {
    know(found);
    return { tree: found };
  }
  const named = changes.slice(0, maxNamed).map(({ path }) => path);
  if (drift === 'ask') return { tree: found, drift: named, done: 'ask' };
  if (drift === 'restore') {
    // The previous state is kept in the store, under a ref of the run.
    await snapshots.keep(`${run}/drift/`, found);
    const { incomplete, left } = await snapshots.restore(tree);
    if (left.length > 0)
      log.warn('not in any snapshot, so left as they are', { paths: left.slice(0, maxNamed) });
    if (incomplete.length > 0)
      log.warn('git objects were deleted and are kept nowhere: history is not all there', {
        incomplete,
      });
  }
  const reached = drift === 'restore' ? tree : found;
  know(reached);
  return { tree: reached, drift: named, done: drift };
}
