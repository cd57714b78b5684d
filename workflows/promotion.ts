/** Applies a staged run's change to its target folder: at the run's end by policy, or manually. */
import { ActivityFailure, patched, rootCause } from '@temporalio/workflow';
import type { PromoteResult } from '../activities/contract/promotion.ts';
import { proxyRunActivities } from './activities.ts';
import type { HookEnd, PromotionInput, RunStatus, Staged } from './contract.ts';
import { checkPromotionInput } from './edge.ts';
import type { Run } from './live-run.ts';

/** `agent promote`: one activity, repeated until it has an outcome. */
export async function promotion(input: PromotionInput): Promise<PromoteResult> {
  checkPromotionInput(input);
  const { queues, request } = input;
  const { workspaceLong } = proxyRunActivities({ queues });
  return await workspaceLong.promote.executeWithOptions({ summary: `promote run ${request.run}` }, [
    request,
  ]);
}

/** Handles a staged run's change at its end; undefined for runs that work in the folder itself. */
export async function endStage(
  run: Run,
  status: RunStatus,
  hooks: readonly HookEnd[] = [],
): Promise<Staged | undefined> {
  const { input, state, activities } = run;
  const { stagedFrom: target, workspace: stage, goal } = input;
  if (target === undefined) return undefined;
  const { base, tree } = state;
  if (status !== 'done' || base === undefined || tree === undefined)
    return { target, state: 'waiting' };
  const red = hooks.filter(({ state: came }) => came !== 'green').map(({ name }) => name);
  if (red.length > 0)
    return { target, state: 'waiting', reason: `Not all hooks passed: ${red.join(', ')}.` };
  let result: PromoteResult;
  try {
    result = await activities.workspaceLong.promote.executeWithOptions(
      { summary: 'promote, if the policy says so' },
      [{ run: input.run, by: 'policy', goal, target, stage, base, tree, mode: 'patch' }],
    );
  } catch (error) {
    if (!(error instanceof ActivityFailure) || !patched('ends-without-a-report')) throw error;
    return { target, state: 'waiting', reason: (rootCause(error) ?? error.message).slice(0, 500) };
  }
  if (result.state === 'promoted') return { target, state: 'promoted' };
  const reason = toReason(result);
  return { target, state: 'waiting', reason };
}

function toReason(result: Exclude<PromoteResult, { state: 'promoted' }>): string | undefined {
  switch (result.state) {
    case 'manual':
      return undefined;
    case 'busy':
      return `The folder was in use by run ${result.run}.`;
    case 'refused':
      return result.reason;
    case 'conflict':
      return `The folder was changed in the same places: ${result.paths.join(', ')}.`.slice(0, 500);
  }
}
