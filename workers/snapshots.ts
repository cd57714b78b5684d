/** Process entry: answers one query about a workspace's snapshots, read from stdin, or reverts a run's changes. */
import { existsSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { forgetPromotion, recallPromotion } from '../activities/act/promote.ts';
import type { Kept } from '../activities/act/promote.ts';
import { createTransactions } from '../activities/act/transactions.ts';
import { WorkspaceBusy, byHand, createLeases } from '../activities/files/lease.ts';
import { findGitProblem } from '../activities/snapshots/git.ts';
import type { FileChange, Touched } from '../activities/snapshots/snapshots.ts';
import { isAlive } from '../audit/record/lock.ts';
import { readTrail } from '../audit/events/trail.ts';
import { readSettings } from '../config/environment.ts';
import { toRunLog } from '../config/folders.ts';

export interface SnapshotOrder {
  readonly what: 'diff' | 'undo' | 'promotion';
  readonly run: string;
  /** Absolute, free of links. */
  readonly workspace: string;
  readonly before: string;
  readonly after: string;
  /** Includes files that git ignores. */
  readonly ignored?: true;
}

export interface SnapshotAnswer {
  readonly changes: readonly FileChange[];
  /** Changes in ignored files. */
  readonly ignored: readonly FileChange[];
  readonly diff: string;
  /** What was applied of a staged run to `workspace`. */
  readonly promotion?: Pick<Kept, 'before' | 'after'>;
  readonly undone: readonly string[];
  readonly kept: readonly string[];
  /** Reverted around later changes by others. */
  readonly merged: readonly string[];
  /** In no snapshot: left alone, with what happened to them. */
  readonly left: readonly Left[];
}

/** Something undo neither restored nor removed. */
export interface Left {
  readonly path: string;
  readonly kind: Touched['kind'] | 'new' | 'stays';
  readonly to?: string;
}

const fail = (message: string, exitCode: number): never => {
  process.stderr.write(`${message}\n`);
  process.exit(exitCode);
};

const order = JSON.parse(await text(process.stdin)) as SnapshotOrder;
const { folders } = readSettings();
const problem = await findGitProblem();
if (problem !== undefined) fail(problem, 69);
const leases = createLeases(folders.leases);
const transactions = createTransactions(leases, folders.snapshots);
const nothing: SnapshotAnswer = {
  changes: [],
  ignored: [],
  diff: '',
  undone: [],
  kept: [],
  merged: [],
  left: [],
};

async function showDiff(): Promise<SnapshotAnswer> {
  const { snapshots } = transactions.peek(order.workspace);
  if (!(await snapshots.has(order.before)) || !(await snapshots.has(order.after)))
    return fail(`The snapshots of run ${order.run} are not in ${folders.snapshots}.`, 1);
  const { changes, ignored } = await snapshots.sortChanges(order.before, order.after);
  const all = order.ignored === true;
  const diff = await snapshots.renderDiff(order.before, order.after, all ? [] : ignored);
  return { ...nothing, changes: all ? [...changes, ...ignored] : changes, ignored, diff };
}

/** From its log, since the server may be down: a run that has not ended may continue. */
async function isOpen(run: string): Promise<boolean> {
  const file = toRunLog(folders.root, run);
  if (existsSync(file)) return (await readTrail(file))?.ended === false;
  return leases.list().some((lease) => lease.run === run && isAlive(lease.owner ?? ''));
}

async function undo(): Promise<SnapshotAnswer> {
  const { workspace, before, after } = order;
  if (!existsSync(workspace)) return fail(`The workspace ${workspace} no longer exists.`, 1);
  const name = `${byHand}undo-${order.run}`;
  try {
    await leases.claim(workspace, name, isOpen);
  } catch (error) {
    if (error instanceof WorkspaceBusy) return fail(`${error.message} Wait until it ends.`, 75);
    throw error;
  }
  try {
    return await transactions.exclusive(workspace, name, async ({ snapshots }) => {
      const { tree: current } = await snapshots.capture();
      const { tree, undone, kept, merged, left } = await snapshots.without({
        before,
        after,
        current,
      });
      const touched = await snapshots.findTouched(before, current);
      // The previous state is kept in the store, under a ref of the run.
      await snapshots.keep(`${order.run}/undo/`, current);
      const { left: stayed } = await snapshots.restore(tree);
      forgetPromotion(snapshots, order.run);
      const stays = new Set(stayed);
      return {
        ...nothing,
        kept,
        merged,
        undone: undone.filter((path) => !stays.has(path)),
        left: toLeft(touched, left, stayed),
      };
    });
  } finally {
    await leases.release(name);
  }
}

function toLeft(
  touched: readonly Touched[],
  fresh: readonly string[],
  stayed: readonly string[],
): Left[] {
  const all: Left[] = [
    ...touched.map(({ path, kind, to }) => ({ path, kind, to })),
    ...fresh.map((path) => ({ path, kind: 'new' as const })),
  ];
  const named = new Set(all.map(({ path }) => path));
  for (const path of stayed) if (!named.has(path)) all.push({ path, kind: 'stays' });
  return all;
}

async function findPromotion(): Promise<SnapshotAnswer> {
  const { run, workspace: target, before: base, after: tree } = order;
  const promotion = await recallPromotion(transactions, { run, target, base, tree });
  return { ...nothing, promotion };
}

const answers = { diff: showDiff, undo, promotion: findPromotion };
const answer = await answers[order.what]();
process.stdout.write(JSON.stringify(answer));
