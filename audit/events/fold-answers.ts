/** Events about a run's start and its models' answers. */
import type { PlanAnswer, ReviewAnswer, ThinkAnswer } from '../../activities/contract/model.ts';
import type { OpenResult } from '../../activities/contract/workspace.ts';
import type { Limits } from '../../policies/action.ts';
import type { RunInput } from '../../workflows/contract.ts';
import { nextQuestion } from '../../workflows/questions.ts';
import type { RunState } from '../../workflows/state.ts';
import { findPrice } from '../../workflows/usage.ts';
import type { Completed, Fact } from './facts.ts';
import type { ProjectionState } from './projection-state.ts';
import type { RunEventBody } from './run-event.ts';

export function foldStart(
  state: ProjectionState,
  { input, carried }: Extract<Fact, { kind: 'started' }>,
): RunEventBody[] {
  // Only workers validate a run's input.
  if (state.input !== undefined || !isReadable(input)) return [];
  state.input = input;
  const { goal, workspace, stagedFrom, by, approve, limits, models } = input;
  const { model } = models.executor;
  return [
    { type: 'run.started', goal, workspace, stagedFrom, by, approve, limits, model },
    ...(Array.isArray(carried?.steps) ? takeOver(state, input, carried) : []),
  ];
}

const isReadable = (input: RunInput | undefined): input is RunInput =>
  typeof input?.goal === 'string' && typeof input.models?.executor?.model === 'string';

/** A forked or restored run starts with another run's plan and counts. */
function takeOver(state: ProjectionState, { from }: RunInput, carried: RunState): RunEventBody[] {
  state.asks = carried.asks;
  state.questions = carried.questions;
  state.round = carried.round;
  state.usage = { ...carried.usage };
  if (carried.plan === undefined) return [];
  state.titles = new Map(carried.steps.map(({ id, title }) => [id, title]));
  const steps = carried.steps.map(({ id, title, dependsOn }) => ({ id, title, dependsOn }));
  const approach = `Continues from run ${from?.run ?? 'before'}.`;
  const done = carried.steps.filter((step) => step.state === 'done');
  return [
    { type: 'plan.updated', round: carried.round, approach, steps, plan: carried.plan },
    ...done.map(({ id }): RunEventBody => ({
      type: 'review',
      step: id,
      verdict: 'accept',
      notes: 'Done before.',
    })),
  ];
}

export function foldOpening(state: ProjectionState, opened: OpenResult): RunEventBody[] {
  if (!opened.ok) return [];
  const { restricted, gitSettings, uncovered, limits, prices } = opened;
  state.prices = prices;
  return [
    ...findUnpriced(state, limits),
    ...(restricted === undefined ? [] : [{ type: 'run.restricted' as const, reason: restricted }]),
    ...(uncovered === undefined
      ? []
      : [{ type: 'workspace.uncovered' as const, paths: uncovered }]),
    ...(gitSettings === undefined
      ? []
      : [{ type: 'git.settings' as const, settings: gitSettings }]),
  ];
}

/** Reported at the start, while there is still time to add a price. */
function findUnpriced({ input, prices }: ProjectionState, { usd }: Limits): RunEventBody[] {
  const limit = Math.min(usd ?? Infinity, input?.limits.usd ?? Infinity);
  if (input === undefined || limit === Infinity) return [];
  const names = Object.values(input.models).map(({ model }) => model);
  const models = [...new Set(names)].filter((model) => findPrice(prices, model) === undefined);
  return models.length === 0 ? [] : [{ type: 'budget.unpriced', models, limit }];
}

export function foldAnswer(
  state: ProjectionState,
  { name, request }: Extract<Completed, { name: 'plan' | 'think' | 'review' }>,
  answer: PlanAnswer | ThinkAnswer | ReviewAnswer,
): RunEventBody[] {
  if (name === 'plan') return foldPlan(state, answer as PlanAnswer);
  if (name === 'think') return foldThought(state, request.step, answer as ThinkAnswer);
  const { verdict, head } = answer as ReviewAnswer;
  const { step } = request;
  if (step === undefined) state.open.clear();
  else state.open.delete(step);
  return [{ type: 'review', verdict, notes: head, step }];
}

function foldPlan(state: ProjectionState, { approach, steps, plan }: PlanAnswer): RunEventBody[] {
  state.round += 1;
  state.titles = new Map(steps.map(({ id, title }) => [id, title]));
  for (const known of [state.attempts, state.open, state.worktrees, state.batches, state.asking])
    known.clear();
  return [{ type: 'plan.updated', round: state.round, approach, steps, plan }];
}

function foldThought(
  state: ProjectionState,
  step: string,
  { thought, transcript, question }: ThinkAnswer,
): RunEventBody[] {
  const told: RunEventBody = { type: 'thought', step, text: thought, transcript };
  if (question === undefined) return [told];
  const id = nextQuestion(state);
  state.asking.set(id, step);
  return [told, { type: 'input.requested', step, request: id, question: question.text }];
}
