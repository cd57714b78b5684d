import { condition, patched } from '@temporalio/workflow';
import type { ThinkAnswer } from '../activities/contract/model.ts';
import type { Call } from '../activities/contract/refs.ts';
import type { Budget } from '../policies/action.ts';
import { beginStep } from './checkpoints.ts';
import {
  checkActionBudget,
  checkBudget,
  countAction,
  renderWarning,
  takeWarnings,
} from './budget-checks.ts';
import { isSentBack } from './hooks.ts';
import { continueWhenLong, waitWhilePaused } from './control.ts';
import { RunEnd } from './failures.ts';
import { askModel } from './model.ts';
import { perform } from './perform.ts';
import { noteOutcome } from './progress.ts';
import { isGivenUp } from './rounds.ts';
import { noteUntrusted, untrustedBefore } from './untrusted.ts';
import { enter } from './show.ts';
import type { Run } from './live-run.ts';
import type { OpenQuestion, StepRecord, WorktreeState } from './state.ts';
import { claimsOf } from './state.ts';
import { dropQuestion, isOpen, markRead, openQuestion, renderWord, unheardBy } from './words.ts';
import { mustListen } from './listen.ts';

/** Turns before an unfinished step is given up. */
const maxTurns = 80;

/** (Thought → Action → Observation)* until the model finishes the step; `replan` if it got stuck. */
export async function executeStep(run: Run, step: StepRecord): Promise<'finished' | 'replan'> {
  if (step.state !== 'running') {
    checkBudget(run, 'steps');
    run.state.usage.steps += 1;
    step.state = 'running';
    step.attempts += 1;
    step.turns = 0;
    await beginStep(run, step);
  }
  do await takeTurns(run, step);
  while (!isGivenUp(run) && ((await isSentBack(run, step)) || isSpokenTo(run, step)));
  return isGivenUp(run) ? 'replan' : 'finished';
}

async function takeTurns(run: Run, step: StepRecord): Promise<void> {
  while (step.claim === undefined) {
    await continueWhenLong(run);
    if (step.turns >= maxTurns) {
      throw new RunEnd(
        'stuck',
        `Step ${step.id} (${step.title}) took ${maxTurns} turns without finishing.`,
      );
    }
    step.turns += 1;
    const turn = await think(run, step);
    // Numbered when asked, so that readers of the history number it the same, whatever other steps ask meanwhile.
    const question =
      turn.question === undefined
        ? undefined
        : openQuestion(run.state, step.id, turn.question.text);
    try {
      for (const call of turn.calls) {
        await act(run, step, call);
        if (isGivenUp(run)) return;
      }
      if (question !== undefined) await askPerson(run, question);
    } finally {
      if (question !== undefined) dropQuestion(run.state, question);
    }
    // A person's message comes first: the step finishes once its model has read it.
    if (turn.finish !== undefined && !mustListen(run, step)) step.claim = turn.finish.summary;
  }
}

/** True if a person has spoken since the model finished the step, which then continues. */
function isSpokenTo(run: Run, step: StepRecord): boolean {
  if (!mustListen(run, step)) return false;
  delete step.claim;
  return true;
}

async function think(run: Run, step: StepRecord): Promise<ThinkAnswer> {
  const { input, state } = run;
  state.said = [];
  let words = unheardBy(state, step);
  const near = takeWarnings(run);
  const nudge = takeNudge(run.worktree.state, near);
  const answer = await askModel(run, { phase: 'thinking', step: step.id }, () => {
    // Asked again after a wait, it is told what was said meanwhile.
    words = unheardBy(state, step);
    return run.activities.model.think.executeWithOptions(
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
          said: words.map(renderWord),
          ...(step.transcript === undefined
            ? { claims: claimsOf(state, 200) }
            : { transcript: step.transcript }),
          nudge: nudge === '' ? undefined : nudge,
          near: near.length === 0 ? undefined : near,
          without: state.without,
        },
      ],
    );
  });
  markRead(state, words, step);
  step.transcript = answer.transcript;
  step.observations = [];
  step.notes = [];
  state.thought = answer.thought;
  return answer;
}

/** The engine's message to the model. */
function takeNudge(state: WorktreeState, near: readonly Budget[]): string {
  const { nudge } = state;
  delete state.nudge;
  return [
    ...(nudge === undefined ? [] : [nudge]),
    ...(near.length === 0 ? [] : [renderWarning(near)]),
  ].join('\n');
}

/** One action: decided, approved if the policy asks, executed, recorded. */
async function act(run: Run, step: StepRecord, call: Call): Promise<void> {
  await waitWhilePaused(run);
  checkActionBudget(run, call.tool);
  const untrusted = untrustedBefore(run, step);
  const order = { step: step.id, call, untrusted };
  const { result, approval } = await perform(run, order);
  countAction(run, call.tool, result);
  if (result.observation !== undefined) step.observations.push(result.observation);
  noteUntrusted(run, step, result, approval);
  noteOutcome(run, result);
}

/** Waits for a person's answer, which the model reads on its next turn. Earlier messages are not an answer. */
async function askPerson(run: Run, question: OpenQuestion): Promise<void> {
  const { state } = run;
  const isAnswered = patched('said-words-get-a-turn')
    ? () => !isOpen(state, question)
    : () => state.said.length > 0;
  if (isAnswered()) return;
  enter(run, { phase: 'awaiting-input', request: question.id, question: question.text });
  await condition(isAnswered);
}
