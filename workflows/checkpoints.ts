/** Snapshots at the starts of steps, for rewinding, forking and restoring a run. */
import { ApplicationFailure, condition, setHandler } from '@temporalio/workflow';
import type { Checkpoint, EnsureRequest, EnsureResult } from '../activities/contract/workspace.ts';
import { waitForAnswer } from './approvals.ts';
import { rewindRun } from './contract.ts';
import type { RewindOrder, Rewound } from './contract.ts';
import { heed } from './messages.ts';
import { enter } from './show.ts';
import type { Run } from './live-run.ts';
import { toDriftQuestion } from './questions.ts';
import type { RunState, StepRecord } from './state.ts';
import { toFreshStep } from './state.ts';

/** Verifies the workspace before a step and records the run's state. Skipped for runs without snapshots. */
export async function beginStep(run: Run, step: StepRecord): Promise<void> {
  const { state, worktree } = run;
  // The copy was made for this step at this snapshot: nobody else has touched it.
  if (worktree.state.tree === undefined || step.lane !== undefined) return;
  const ensured = await ensure(run, { step: step.id, state: toCheckpoint(state) });
  worktree.state.tree = ensured.tree;
  state.begun = (state.begun ?? 0) + 1;
  const { evidence } = worktree.state;
  step.before ??= { order: state.begun, tree: ensured.tree, evidence };
}

/** The same for parallel steps: they share one checkpoint, because none has the others' work. */
export async function beginBatch(run: Run, steps: readonly StepRecord[]): Promise<void> {
  const { state } = run;
  const ids = steps.map(({ id }) => id);
  const checkpoint = { step: ids[0] ?? '', batch: ids, state: toCheckpoint(state) };
  const { tree } = await ensure(run, checkpoint);
  state.tree = tree;
  const order = (state.begun ?? 0) + 1;
  state.begun = order;
  const { evidence } = state;
  for (const step of steps) {
    step.lane = `${state.round}-${order}-${step.id}`;
    step.before = { order, tree, evidence };
  }
}

/** Steps that started at once with this one, itself included; empty if it started alone. */
function findBatch({ steps }: RunState, { lane, before }: StepRecord): StepRecord[] {
  return lane === undefined ? [] : steps.filter((step) => step.before?.order === before?.order);
}

async function ensure(run: Run, checkpoint: Checkpoint): Promise<EnsureResult> {
  const { step, batch = [step] } = checkpoint;
  const summary = `workspace before ${batch.join(', ')}`;
  let ensured = await ensureTree(run, summary, { checkpoint });
  while (ensured.done === 'ask') {
    const answer = await waitForAnswer(run, toDriftQuestion(step, ensured));
    ensured = await ensureTree(run, summary, {
      drift: answer?.answer === 'approve' ? 'adopt' : 'restore',
      approval: answer,
    });
  }
  return ensured;
}

async function ensureTree(
  { input, worktree, activities }: Run,
  summary: string,
  more: Pick<EnsureRequest, 'drift' | 'approval' | 'rewind' | 'checkpoint'>,
): Promise<EnsureResult> {
  const { path: workspace, state } = worktree;
  const { tree = '' } = state;
  return await activities.workspaceLong.ensureWorkspace.executeWithOptions({ summary }, [
    { run: input.run, workspace, tree, ...more },
  ]);
}

/**
 * The state without what matters only at the moment; claims are shortened, because it travels in history with each
 * step.
 */
function toCheckpoint(state: RunState): RunState {
  const copy: RunState = {
    ...state,
    said: [],
    open: [],
    recent: [],
    // A restarted conversation does not contain them.
    warnings: [],
    thought: '',
    steps: state.steps.map((step) => ({
      ...toFreshStep(step),
      state: step.state,
      attempts: step.attempts,
      before: step.before,
      claim: step.claim?.slice(0, 200),
    })),
  };
  // Of this run only: whatever continues from here is announced anew.
  delete copy.counted;
  delete copy.countedUpTo;
  delete copy.uncounted;
  return copy;
}

/** Handles the order to go back to the start of a step. */
export function registerRewind(run: Run): void {
  const { state } = run;
  setHandler(
    rewindRun,
    async (order): Promise<Rewound> => {
      const { step, by, proof } = order;
      const checking = heed(run, { what: 'rewind', by, proof, about: step }, () => undefined);
      if (checking !== undefined) {
        const problem = await checking;
        if (problem !== undefined) throw refused(`The rewind was rejected: ${problem}.`);
        // Much may have happened meanwhile.
        recheck(run, order);
      }
      const target = state.steps.find(({ id }) => id === order.step);
      const together = target === undefined ? [] : findBatch(state, target).map(({ id }) => id);
      const from = target?.before?.order ?? 0;
      const again = state.steps.filter(({ before }) => (before?.order ?? from) >= from);
      state.rewind = { step, by };
      run.interrupt?.();
      await condition(() => state.rewind === undefined);
      const steps = again.map(({ id }) => id);
      return { steps, together: together.length === 0 ? undefined : together };
    },
    { validator: (order) => validate(run, order) },
  );
}

const refused = (why: string): ApplicationFailure =>
  ApplicationFailure.nonRetryable(why, 'RewindRefused');

/** Fails the update as its validator would have. */
function recheck(run: Run, order: RewindOrder): void {
  try {
    validate(run, order);
  } catch (error) {
    throw refused((error as Error).message);
  }
}

function validate({ state, phase, input }: Run, { step }: RewindOrder): void {
  const found = state.steps.find(({ id }) => id === step);
  const begun = state.steps.filter(({ before }) => before !== undefined).map(({ id }) => id);
  if (phase.now.phase === 'closing' || phase.now.phase === 'closed')
    throw new Error(
      `Run ${input.run} has ended. Start a new run from a step: agent fork ${input.run} --step ${step}`,
    );
  if (state.rewind !== undefined)
    throw new Error(`Run ${input.run} is already rewinding to ${state.rewind.step}.`);
  if (found?.before === undefined) {
    const known = begun.length === 0 ? 'none has begun' : `begun are ${begun.join(', ')}`;
    throw new Error(
      `Run ${input.run} cannot rewind to step ${step}: in the current plan, ${known}.`,
    );
  }
}

/** Restores workspace and state to the start of the step or its batch. Call with nothing else in progress. */
export async function goBack(run: Run): Promise<void> {
  const { state } = run;
  const target = state.steps.find(({ id }) => id === state.rewind?.step);
  const before = target?.before;
  if (before !== undefined) {
    enter(run, { phase: 'opening' });
    state.tree = before.tree;
    await ensureTree(run, `back to before ${target?.id ?? ''}`, { drift: 'restore', rewind: true });
    state.steps = state.steps.map((step) =>
      (step.before?.order ?? 0) >= before.order ? toFreshStep(step) : step,
    );
    if (before.evidence === undefined) delete state.evidence;
    else state.evidence = before.evidence;
    state.repeat = { key: '', count: 0 };
    delete state.recent;
    delete state.warnings;
    state.denials = 0;
  }
  delete state.rewind;
}
