import { condition } from '@temporalio/workflow';
import type { Call, ThinkAnswer } from '../activities/contract.ts';
import type { Meter } from '../policies/action.ts';
import { beginStep } from './checkpoints.ts';
import {
  checkActionBudget,
  checkBudget,
  countAction,
  renderWarning,
  takeWarnings,
} from './budgets.ts';
import { isSentBack } from './hooks.ts';
import { continueWhenLong, waitWhilePaused } from './control.ts';
import { RunEnd } from './failures.ts';
import { askModel } from './model.ts';
import { perform } from './perform.ts';
import { noteOutcome } from './progress.ts';
import { noteUntrusted, untrustedBefore } from './untrusted.ts';
import { enter } from './show.ts';
import type { Run, RunState, StepRecord } from './state.ts';
import { claimsOf, takeSaid } from './state.ts';

/** Turns after which a step that does not finish is given up. */
const mostTurns = 80;

/** (Thought → Action → Observation)* until the model says the step is finished; without a plan any more when it got stuck. */
export async function executeStep(run: Run, step: StepRecord): Promise<void> {
  if (step.state !== 'running') {
    checkBudget(run, 'steps');
    run.state.usage.steps += 1;
    step.state = 'running';
    step.attempts += 1;
    step.turns = 0;
    await beginStep(run, step);
  }
  do await takeTurns(run, step);
  while (run.state.plan !== undefined && (await isSentBack(run, step)));
}

async function takeTurns(run: Run, step: StepRecord): Promise<void> {
  while (step.claim === undefined) {
    await continueWhenLong(run);
    if (step.turns >= mostTurns) {
      throw new RunEnd(
        'stuck',
        `Step ${step.id} (${step.title}) took ${mostTurns} turns without finishing.`,
      );
    }
    step.turns += 1;
    const turn = await think(run, step);
    for (const call of turn.calls) {
      await act(run, step, call);
      // Stuck: the next round begins with another plan.
      if (run.state.plan === undefined) return;
    }
    if (turn.question !== undefined) await askPerson(run, turn.question.text);
    if (turn.finish !== undefined) step.claim = turn.finish.summary;
  }
}

async function think(run: Run, step: StepRecord): Promise<ThinkAnswer> {
  const { input, state } = run;
  const said = takeSaid(state);
  const near = takeWarnings(run);
  const nudge = takeNudge(state, near);
  const answer = await askModel(run, { phase: 'thinking', step: step.id }, () =>
    run.activities.model.think.executeWithOptions(
      { summary: `${step.id}, turn ${step.turns}: ${step.title}` },
      [
        {
          run: input.run,
          goal: input.goal,
          model: input.models.executor,
          facts: state.facts ?? '',
          plan: state.plan ?? '',
          step: step.id,
          observations: step.observations,
          notes: step.notes,
          said,
          ...(step.transcript === undefined
            ? { claims: claimsOf(state, 200) }
            : { transcript: step.transcript }),
          ...(nudge === '' ? {} : { nudge }),
          ...(near.length === 0 ? {} : { near }),
          ...(state.without === undefined ? {} : { without: state.without }),
        },
      ],
    ),
  );
  step.transcript = answer.transcript;
  step.observations = [];
  step.notes = [];
  state.thought = answer.thought;
  return answer;
}

/** What the engine has to say to the model. */
function takeNudge(state: RunState, near: readonly Meter[]): string {
  const { nudge } = state;
  delete state.nudge;
  return [
    ...(nudge === undefined ? [] : [nudge]),
    ...(near.length === 0 ? [] : [renderWarning(near)]),
  ].join('\n');
}

/** One action: decided, approved where the policy asks, carried out, noted. */
async function act(run: Run, step: StepRecord, call: Call): Promise<void> {
  await waitWhilePaused(run);
  checkActionBudget(run, call.tool);
  const untrusted = untrustedBefore(run, step);
  const order = { step: step.id, call, ...(untrusted === undefined ? {} : { untrusted }) };
  const { result, approval } = await perform(run, order);
  countAction(run, call.tool, result);
  if (result.observation !== undefined) step.observations.push(result.observation);
  noteUntrusted(run, step, result, approval);
  noteOutcome(run, result);
}

/** Waits for a person to `say` something; the model reads it at its next turn. */
async function askPerson(run: Run, question: string): Promise<void> {
  run.state.questions += 1;
  if (run.state.said.length === 0) {
    enter(run, { phase: 'awaiting-input', request: `q${run.state.questions}`, question });
    await condition(() => run.state.said.length > 0);
  }
}
