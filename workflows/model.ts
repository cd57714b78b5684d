import { condition } from '@temporalio/workflow';
import type { ModelOutcome } from '../activities/contract/model.ts';
import { checkBudget, countModel } from './budget-checks.ts';
import { waitWhilePaused } from './control.ts';
import type { RunPhase } from './contract.ts';
import { RunEnd } from './failures.ts';
import { settleMessages } from './messages.ts';
import { enter } from './show.ts';
import type { Run } from './live-run.ts';

const firstWaitMs = 1_000;
const maxWaitMs = 60_000;

/**
 * Asks a model until it answers. An unreachable server makes the run wait, visibly and as long as it takes: waiting
 * uses no budget, and every wait is a durable timer. Pausing takes effect between attempts.
 */
export async function askModel<T>(
  run: Run,
  phase: RunPhase,
  ask: () => Promise<ModelOutcome<T>>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    await waitWhilePaused(run);
    checkBudget(run, 'tokens', 'minutes', 'usd', 'model_calls');
    enter(run, phase);
    const outcome = await ask();
    countModel(run, outcome);
    switch (outcome.kind) {
      case 'answer': {
        const settling = settleMessages(run);
        if (settling !== undefined) await settling;
        return outcome.answer;
      }
      case 'invalid':
        throw new RunEnd('failed', `The model did not give a usable answer: ${outcome.reason}`);
      case 'refused':
        throw new RunEnd(
          'failed',
          `The model server at ${outcome.address} refused: ${outcome.reason}`,
        );
      case 'unavailable': {
        const { address, reason } = outcome;
        enter(run, { phase: 'waiting-for-model', address, reason: reason.slice(0, 300), attempt });
        const wait = Math.min(firstWaitMs * 2 ** Math.min(attempt - 1, 10), maxWaitMs);
        await condition(
          () => run.state.pausedBy !== undefined,
          Math.max(wait, outcome.retryAfterMs ?? 0),
        );
      }
    }
  }
}
