/** Events that tell of how a run began, and of what models answered. */
import type {
  PlanAnswer,
  ReviewAnswer,
  ReviewRequest,
  ThinkAnswer,
  ThinkRequest,
} from '../../activities/contract/model.ts';
import type { OpenResult } from '../../activities/contract/workspace.ts';
import type { Limits } from '../../policies/action.ts';
import type { RunInput } from '../../workflows/contract.ts';
import type { RunState } from '../../workflows/state.ts';
import { findPrice } from '../../workflows/usage.ts';
import { decodePayloads } from '../mirror/history-json.ts';
import type { ProjectionState } from './projection-state.ts';
import type { RunEventBody } from './run-event.ts';

export function foldStart(
  state: ProjectionState,
  attributes: Readonly<Record<string, unknown>>,
): RunEventBody[] {
  state.activities.clear();
  const [input, carried] = decodePayloads(attributes['input']) as [
    RunInput | undefined,
    RunState | undefined,
  ];
  // Nobody but a worker checks what a run is started with.
  if (state.input !== undefined || !isReadable(input)) return [];
  state.input = input;
  const { goal, workspace, stagedFrom, by, approve, limits, models } = input;
  const stage = stagedFrom === undefined ? {} : { stagedFrom };
  return [
    {
      type: 'run.started',
      goal,
      workspace,
      ...stage,
      by,
      approve,
      limits,
      model: models.executor.model,
    },
    ...(Array.isArray(carried?.steps) ? takeOver(state, input, carried) : []),
  ];
}

const isReadable = (input: RunInput | undefined): input is RunInput =>
  typeof input?.goal === 'string' && typeof input.models?.executor?.model === 'string';

/** A forked or restored run begins with the plan and the counts of another. */
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

/** Said at the start, while there is still time to write a price. */
function findUnpriced({ input, prices }: ProjectionState, { usd }: Limits): RunEventBody[] {
  const limit = Math.min(usd ?? Infinity, input?.limits.usd ?? Infinity);
  if (input === undefined || limit === Infinity) return [];
  const names = Object.values(input.models).map(({ model }) => model);
  const models = [...new Set(names)].filter((model) => findPrice(prices, model) === undefined);
  return models.length === 0 ? [] : [{ type: 'budget.unpriced', models, limit }];
}

export function foldAnswer(
  state: ProjectionState,
  type: string,
  request: unknown,
  answer: unknown,
): RunEventBody[] {
  if (type === 'plan') {
    const { approach, steps, plan } = answer as PlanAnswer;
    state.round += 1;
    state.titles = new Map(steps.map(({ id, title }) => [id, title]));
    state.attempts.clear();
    state.open.clear();
    state.lanes.clear();
    state.batches.clear();
    state.asking.clear();
    return [{ type: 'plan.updated', round: state.round, approach, steps, plan }];
  }
  if (type === 'review') {
    const { step } = request as ReviewRequest;
    const { verdict, head } = answer as ReviewAnswer;
    if (step === undefined) state.open.clear();
    else state.open.delete(step);
    return [{ type: 'review', verdict, notes: head, step }];
  }
  const { step } = request as ThinkRequest;
  const { thought, transcript, question } = answer as ThinkAnswer;
  const events: RunEventBody[] = [{ type: 'thought', step, text: thought, transcript }];
  if (question !== undefined) {
    state.questions += 1;
    const id = `q${state.questions}`;
    state.asking.set(id, step);
    events.push({ type: 'input.requested', step, request: id, question: question.text });
  }
  return events;
}
