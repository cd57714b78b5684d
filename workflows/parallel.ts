/**
 * Runs independent steps at once, each in a copy of the workspace from the same snapshot, and merges them in plan
 * order.
 */
import { CancellationScope, patched } from '@temporalio/workflow';
import type { Ref, SnapshotId } from '../activities/contract/refs.ts';
import type { MergeResult } from '../activities/contract/workspace.ts';
import { beginBatch } from './checkpoints.ts';
import { continueWhenLong } from './control.ts';
import { executeStep } from './executor.ts';
import type { Run, Worktree } from './live-run.ts';
import { giveUpPlan, reviewStep } from './reviewer.ts';
import { enter } from './show.ts';
import type { RunState, StepRecord } from './state.ts';
import { noteMerged, readySteps } from './state.ts';

/** Steps that can run at once now: several, or none. */
export function nextBatch({ state }: Run): StepRecord[] {
  const max = state.tree === undefined ? 1 : (state.parallel ?? 1);
  const ready = readySteps(state).slice(0, max);
  return ready.length > 1 ? ready : [];
}

/**
 * Executes steps at once and merges their changes. A conflict, or a step that needs another plan, gives up the plan.
 */
export async function executeBatch(
  run: Run,
  steps: readonly StepRecord[],
): Promise<'merged' | 'replan'> {
  const { state } = run;
  if (patched('merged-lanes')) {
    // The last point before the next merge with nothing in progress.
    await continueWhenLong(run);
    await beginBatch(run, steps);
  } else if (patched('whole-batch')) beginTogether(state, steps);
  const base = state.tree ?? '';
  const from = state.evidence;
  const scope = new CancellationScope();
  const branches = await scope.run(async () => {
    try {
      return await Promise.all(steps.map((step) => executeBranch(run, step, base)));
    } catch (error) {
      // The others are no longer needed; their work stays in their snapshots.
      scope.cancel();
      if (error instanceof PlanGivenUp) return undefined;
      throw error;
    }
  });
  return branches === undefined ? 'replan' : await mergeBranches(run, branches, { base, from });
}

/** Stands in for checkpoints in older batches: a shared point to go back to. */
function beginTogether(state: RunState, steps: readonly StepRecord[]): void {
  state.begun = (state.begun ?? 0) + 1;
  const { begun: order, evidence, tree = '' } = state;
  for (const step of steps) step.before ??= { order, tree, evidence };
}

/** A step needs another plan, so the work of those beside it is pointless. */
class PlanGivenUp extends Error {
  override readonly name = 'PlanGivenUp';
}

/** An accepted step, with the copy that holds its work. */
interface Branch {
  readonly step: StepRecord;
  readonly worktree: Worktree;
}

async function executeBranch(run: Run, step: StepRecord, tree: SnapshotId): Promise<Branch> {
  const { input, state, activities } = run;
  const opened = await activities.workspaceLong.openLane.executeWithOptions(
    { summary: `a copy of the workspace for ${step.id}` },
    [
      {
        run: input.run,
        workspace: input.workspace,
        lane: toWorktreeName(state, step),
        tree,
        step: step.id,
      },
    ],
  );
  const worktree = createWorktree(run, opened.workspace);
  const inWorktree = { ...run, worktree };
  do {
    if ((await executeStep(inWorktree, step)) === 'replan') throw new PlanGivenUp(step.id);
    if ((await reviewStep(inWorktree, step)) === 'replan') throw new PlanGivenUp(step.id);
  } while (step.state === 'waiting');
  return { step, worktree };
}

/** A copy starts from the workspace's state and then has its own. */
function createWorktree({ state }: Run, path: string): Worktree {
  const { tree, evidence, denials, repeat, recent, nudge } = state;
  return { path, isCopy: true, state: { tree, evidence, denials, repeat, recent, nudge } };
}

/** Older batches named copies by round and step. */
const toWorktreeName = ({ round }: RunState, { id, lane }: StepRecord): string =>
  lane ?? `${round}-${id}`;

/** Where all steps of a batch started. */
interface BatchStart {
  readonly base: SnapshotId;
  readonly from?: Ref;
}

/** Merges in plan order. After a conflict nothing more is merged, and those steps are not done. */
async function mergeBranches(
  run: Run,
  branches: readonly Branch[],
  start: BatchStart,
): Promise<'merged' | 'replan'> {
  const { state } = run;
  for (const [index, branch] of branches.entries()) {
    const { step } = branch;
    if (step.lane !== undefined) enter(run, { phase: 'merging', step: step.id });
    const merged = await mergeBranch(run, branch, {
      ...start,
      merged: branches.slice(0, index).map((before) => before.step.id),
      left: branches.slice(index + 1).map((after) => after.step.id),
    });
    if (!merged.ok) {
      for (const { step: undone } of branches.slice(index)) {
        undone.state = 'waiting';
        delete undone.claim;
      }
      giveUpPlan(run, merged.notes);
      return 'replan';
    }
    noteMerged(state, step, merged);
  }
  return 'merged';
}

async function mergeBranch(
  { input, state, activities }: Run,
  { step, worktree }: Branch,
  { base, from, ...batch }: BatchStart & { readonly merged: string[]; readonly left: string[] },
): Promise<MergeResult> {
  return await activities.workspaceLong.mergeLane.executeWithOptions(
    { summary: `merge ${step.id}` },
    [
      {
        run: input.run,
        workspace: input.workspace,
        lane: toWorktreeName(state, step),
        laneWorkspace: worktree.path,
        base,
        tree: state.tree ?? base,
        theirs: worktree.state.tree ?? base,
        batch,
        step: step.id,
        evidence: { from, ours: state.evidence, theirs: worktree.state.evidence },
      },
    ],
  );
}
