/** Independent steps at once, each in a copy of the workspace from the same snapshot, merged in plan order. */
import { CancellationScope, patched } from '@temporalio/workflow';
import type { Ref, SnapshotId } from '../activities/contract/refs.ts';
import type { MergeResult } from '../activities/contract/workspace.ts';
import { beginBatch } from './checkpoints.ts';
import { continueWhenLong } from './control.ts';
import { executeStep } from './executor.ts';
import { giveUpPlan, reviewStep } from './reviewer.ts';
import { enter } from './show.ts';
import type { Run } from './live-run.ts';
import type { RunState, StepRecord } from './state.ts';
import { readySteps } from './state.ts';

/** Steps that may run at once now: several, or none. */
export function nextBatch({ state }: Run): StepRecord[] {
  const most = state.tree === undefined ? 1 : (state.parallel ?? 1);
  const ready = readySteps(state).slice(0, most);
  return ready.length > 1 ? ready : [];
}

/** Carries steps out at once and merges them. A conflict, or a lane that needs a new plan, gives the plan up. */
export async function executeBatch(run: Run, steps: readonly StepRecord[]): Promise<void> {
  const { state } = run;
  if (patched('merged-lanes')) {
    // The last place before the next merge where nothing is under way.
    await continueWhenLong(run);
    await beginBatch(run, steps);
  } else if (patched('whole-batch')) beginTogether(state, steps);
  const base = state.tree ?? '';
  const from = state.evidence;
  const scope = new CancellationScope();
  const lanes = await scope.run(async () => {
    try {
      return await Promise.all(steps.map((step) => runLane(run, step, base)));
    } catch (error) {
      // The others have no use any more; what they did stays in their snapshots.
      scope.cancel();
      if (error instanceof PlanGivenUp) return [];
      throw error;
    }
  });
  await mergeLanes(run, lanes, { base, from });
}

/** Where all lanes of a batch began. */
interface BatchStart {
  readonly base: SnapshotId;
  readonly from?: Ref;
}

/** Merges lanes in plan order. From a conflict on, none is merged: those steps are not done. */
async function mergeLanes(run: Run, lanes: readonly Lane[], start: BatchStart): Promise<void> {
  const { state } = run;
  for (const [index, lane] of lanes.entries()) {
    if (lane.step.lane !== undefined) enter(run, { phase: 'merging', step: lane.step.id });
    const merged = await mergeLane(run, lane, {
      ...start,
      merged: lanes.slice(0, index).map(({ step }) => step.id),
      left: lanes.slice(index + 1).map(({ step }) => step.id),
    });
    if (!merged.ok) {
      for (const { step } of lanes.slice(index)) {
        step.state = 'waiting';
        delete step.claim;
      }
      giveUpPlan(run, merged.notes);
      return;
    }
    state.tree = merged.tree;
    if (merged.evidence !== undefined) state.evidence = merged.evidence;
    lane.step.state = 'done';
  }
}

/** What batches had before they had checkpoints of their own: a place to go back to that the steps share. */
function beginTogether(state: RunState, steps: readonly StepRecord[]): void {
  state.begun = (state.begun ?? 0) + 1;
  const { begun: order, evidence, tree = '' } = state;
  for (const step of steps) step.before ??= { order, tree, evidence };
}

/** A reviewer wants another plan: the lanes beside have nothing to work for any more. */
class PlanGivenUp extends Error {
  override readonly name = 'PlanGivenUp';
}

interface Lane {
  readonly step: StepRecord;
  readonly run: Run;
}

async function runLane(run: Run, step: StepRecord, base: SnapshotId): Promise<Lane> {
  const { input, state, activities } = run;
  const lane = toLaneName(state, step);
  const opened = await activities.hands.openLane.executeWithOptions(
    { summary: `a copy of the workspace for ${step.id}` },
    [{ run: input.run, workspace: input.workspace, lane, tree: base, step: step.id }],
  );
  const own = createLane(run, opened.workspace);
  do {
    await executeStep(own, step);
    if (state.plan !== undefined) await reviewStep(own, step);
    if (state.plan === undefined) throw new PlanGivenUp(step.id);
  } while (step.state === 'waiting');
  return { step, run: own };
}

/** Batches begun before they had checkpoints of their own named lanes by round and step. */
const toLaneName = ({ round }: RunState, { id, lane }: StepRecord): string =>
  lane ?? `${round}-${id}`;

async function mergeLane(
  { input, state, activities }: Run,
  { step, run: lane }: Lane,
  { base, from, ...batch }: BatchStart & { readonly merged: string[]; readonly left: string[] },
): Promise<MergeResult> {
  const [ours, theirs] = [state.evidence, lane.state.evidence];
  return await activities.hands.mergeLane.executeWithOptions({ summary: `merge ${step.id}` }, [
    {
      run: input.run,
      workspace: input.workspace,
      lane: toLaneName(state, step),
      laneWorkspace: lane.input.workspace,
      base,
      tree: state.tree ?? base,
      theirs: lane.state.tree ?? base,
      batch,
      step: step.id,
      evidence: { from, ours, theirs },
    },
  ]);
}

/** What each lane has for itself; all else is the run's. */
const ownKeys: ReadonlySet<PropertyKey> = new Set<keyof RunState>([
  'tree',
  'evidence',
  'repeat',
  'recent',
  'denials',
  'nudge',
]);

/** The run as one lane sees it: its own workspace and place in it, everything else shared. */
function createLane(run: Run, workspace: string): Run {
  const own: Partial<RunState> = {};
  for (const key of ownKeys) Reflect.set(own, key, structuredCopy(Reflect.get(run.state, key)));
  const pick = (target: RunState, key: PropertyKey): object => (ownKeys.has(key) ? own : target);
  const state = new Proxy(run.state, {
    get: (target, key) => Reflect.get(pick(target, key), key) as unknown,
    set: (target, key, value) => Reflect.set(pick(target, key), key, value),
    deleteProperty: (target, key) => Reflect.deleteProperty(pick(target, key), key),
  });
  return {
    ...run,
    input: { ...run.input, workspace },
    state,
    isLane: true,
    get now() {
      return run.now;
    },
    set now(now) {
      run.now = now;
    },
  };
}

const structuredCopy = (value: unknown): unknown =>
  value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as unknown);
