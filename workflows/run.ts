import {
  ActivityFailure,
  CancellationScope,
  isCancellation,
  setHandler,
} from '@temporalio/workflow';
import { registerApprovals } from './approvals.ts';
import { goBack, registerRewind } from './checkpoints.ts';
import { registerControls } from './control.ts';
import type { RunInput, RunResult, RunView } from './contract.ts';
import { runView } from './contract.ts';
import { checkRunInput } from './edge.ts';
import { executeStep } from './executor.ts';
import { RunEnd, isNotAnnounced, toRunEnd } from './failures.ts';
import { closeRun, endRefused, openRun } from './workspace.ts';
import { passHooks } from './hooks.ts';
import { executeBatch, nextBatch } from './parallel.ts';
import { planGoal } from './planner.ts';
import { reviewStep, reviewWork } from './reviewer.ts';
import type { Run } from './live-run.ts';
import type { RunState } from './state.ts';
import { createRun, toView } from './live-run.ts';
import { readySteps } from './state.ts';
import { unheard } from './words.ts';
import { wrapUp } from './wrap-up.ts';

/** Plans the goal, executes the plan step by step, and repeats with the reviewer's notes until the work is accepted. */
async function runRounds(run: Run): Promise<string> {
  await openRun(run);
  for (;;) {
    if (run.state.plan === undefined) await planGoal(run);
    if ((await executePlan(run)) === 'replan') continue;
    if ((await passHooks(run)) === 'replan') continue;
    const summary = await reviewWork(run);
    if (summary !== undefined) return summary;
  }
}

/** Executes every step of the plan, in dependency order. */
async function executePlan(run: Run): Promise<'finished' | 'replan'> {
  for (let [step] = readySteps(run.state); step !== undefined; [step] = readySteps(run.state)) {
    const batch = nextBatch(run);
    if (batch.length > 1) {
      if ((await executeBatch(run, batch)) === 'replan') return 'replan';
      continue;
    }
    if ((await executeStep(run, step)) === 'replan') return 'replan';
    if ((await reviewStep(run, step)) === 'replan') return 'replan';
  }
  return 'finished';
}

/** As `runRounds`; a rewind ends what is in progress and continues from an earlier step. */
async function runRewindable(run: Run): Promise<string> {
  for (;;) {
    const scope = new CancellationScope();
    run.interrupt = () => scope.cancel();
    try {
      return await scope.run(() => runRounds(run));
    } catch (error) {
      if (run.state.rewind === undefined || !isCancellation(error)) throw error;
      await goBack(run);
    }
  }
}

/** A run cancelled or rewound during its last turn ends without it. */
async function toLastWord(run: Run, end: RunEnd, scope: CancellationScope): Promise<RunEnd> {
  try {
    return await scope.run(() => wrapUp(run, end));
  } catch (error) {
    if (isCancellation(error) || error instanceof ActivityFailure) return end;
    throw error;
  }
}

/**
 * One run of the agent, from goal to typed end. All outside effects are activities, so the run survives any crash and
 * continues from the last finished one. `carried` is the state of the previous execution.
 */
export async function agentRun(input: RunInput, carried?: RunState): Promise<RunResult> {
  checkRunInput(input, carried);
  const run = createRun(input, carried ?? undefined);
  setHandler(runView, (): RunView => toView(run));
  registerApprovals(run);
  const scope = new CancellationScope();
  registerControls(run, () => scope.cancel());
  registerRewind(run);

  let end: RunEnd;
  let refused = false;
  try {
    const summary = await scope.run(() => runRewindable(run));
    end = new RunEnd('done', summary);
  } catch (error) {
    // Continue-as-new works by throwing an exception of Temporal's.
    end = isCancellation(error)
      ? new RunEnd('cancelled', `Cancelled by ${run.state.cancelledBy ?? 'the Temporal server'}.`)
      : toRunEnd(error);
    refused = isNotAnnounced(error);
    if (end.status === 'budget') end = await toLastWord(run, end, scope);
  }
  // Workers that refuse the run do not close it either.
  if (refused) return endRefused(run, end);
  const result = await CancellationScope.nonCancellable(() => closeRun(run, end));
  const late = unheard(run.state).map(({ text }) => text.slice(0, 500));
  return late.length === 0 ? result : { ...result, unheard: late };
}
