/**
 * Temporal history → run events. A pure fold over the durable events of a run, across the histories it went on in: every
 * reader, live or from a mirror file, computes the same events with the same numbers.
 */
import { basename } from 'node:path';

import type {
  ActRequest,
  ActResult,
  EnsureRequest,
  EnsureResult,
  LaneRequest,
  MergeResult,
  ModelOutcome,
  OpenResult,
  PlanAnswer,
  ReviewAnswer,
  ReviewRequest,
  ThinkAnswer,
  ThinkRequest,
} from '../activities/contract.ts';
import type {
  ApprovalAnswer,
  RewindOrder,
  RunInput,
  RunResult,
  RunStatus,
} from '../workflows/contract.ts';
import type { RunState } from '../workflows/state.ts';
import type { Limits, Prices } from '../policies/action.ts';
import type { Counts } from '../workflows/usage.ts';
import { countAction, countModel, findPrice } from '../workflows/usage.ts';
import { readCurrentHistory } from './executions.ts';
import { attributesOf, decodeFailure, decodePayloads } from './history-json.ts';
import { toLaneStep } from './lane-step.ts';
import type { HistoryEventJson } from './history-json.ts';
import { toResume } from './resume.ts';
import type { RunEvent, RunEventBody } from './run-event.ts';

export type { RunEvent } from './run-event.ts';

export interface Projection {
  /** Events that follow from the next history event; call in order, once for each. */
  apply(event: HistoryEventJson): RunEvent[];
  /** True once `run.finished` was given out. */
  readonly finished: boolean;
}

interface State {
  seq: number;
  /** Of the first execution. */
  input: RunInput | undefined;
  finished: boolean;
  paused: boolean;
  round: number;
  asks: number;
  /** Actions told of whose end is not. */
  requested: Set<number>;
  /** Requests that have their answer. */
  answered: Set<string>;
  questions: number;
  titles: Map<string, string>;
  attempts: Map<string, number>;
  /** Steps begun and not reviewed; a thought about any other begins one. */
  open: Set<string>;
  /** Steps with a copy that is not merged, and those that began at once with each. */
  lanes: Set<string>;
  batches: Map<string, readonly string[]>;
  usage: Counts;
  prices: Prices | undefined;
  /** Activities under way in this execution, by the event that scheduled them. */
  activities: Map<string, { readonly type: string; readonly request: unknown }>;
}

/** `run` is the run's id, without `run-`. */
export function createProjection(run: string): Projection {
  const state: State = {
    seq: 0,
    input: undefined,
    finished: false,
    paused: false,
    round: 0,
    asks: 0,
    requested: new Set(),
    answered: new Set(),
    questions: 0,
    titles: new Map(),
    attempts: new Map(),
    open: new Set(),
    lanes: new Set(),
    batches: new Map(),
    usage: { steps: 0, toolCalls: 0, inputTokens: 0, outputTokens: 0, workMs: 0 },
    prices: undefined,
    activities: new Map(),
  };
  return {
    get finished() {
      return state.finished;
    },
    apply(event) {
      if (state.finished) return [];
      const time = event.eventTime;
      return fold(state, event).map((body) => {
        state.seq += 1;
        return { v: 1, seq: state.seq, run, time, ...body };
      });
    },
  };
}

function fold(state: State, event: HistoryEventJson): RunEventBody[] {
  const attributes = attributesOf(event);
  switch (event.eventType) {
    case 'EVENT_TYPE_WORKFLOW_EXECUTION_STARTED':
      return foldStart(state, attributes);
    case 'EVENT_TYPE_ACTIVITY_TASK_SCHEDULED': {
      const { name } = (attributes['activityType'] ?? {}) as { name?: string };
      const [request] = decodePayloads(attributes['input']);
      state.activities.set(event.eventId, { type: name ?? '', request });
      return foldScheduled(state, name ?? '', request);
    }
    case 'EVENT_TYPE_ACTIVITY_TASK_COMPLETED': {
      const activity = state.activities.get(String(attributes['scheduledEventId']));
      const [result] = decodePayloads(attributes['result']);
      return activity?.request === undefined || result === undefined
        ? []
        : foldCompleted(state, activity, result);
    }
    case 'EVENT_TYPE_ACTIVITY_TASK_FAILED':
    case 'EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT':
    case 'EVENT_TYPE_ACTIVITY_TASK_CANCELED': {
      const activity = state.activities.get(String(attributes['scheduledEventId']));
      return activity?.type !== 'act' || activity.request === undefined
        ? []
        : foldFailure(activity.request as ActRequest, attributes['failure'] ?? {});
    }
    case 'EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED':
      return foldSignal(
        state,
        String(attributes['signalName']),
        decodePayloads(attributes['input']),
      );
    case 'EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED':
      return foldUpdate(state, attributes);
    case 'EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED': {
      const [result] = decodePayloads(attributes['result']);
      return finish(
        state,
        (result as RunResult | undefined) ?? toResult(state, 'done', 'The run ended.'),
      );
    }
    case 'EVENT_TYPE_WORKFLOW_EXECUTION_FAILED':
    case 'EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT': {
      const message = decodeFailure(attributes['failure'] ?? {});
      return finish(state, toResult(state, 'failed', message || 'The workflow failed.'));
    }
    case 'EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED':
    case 'EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED':
      return finish(
        state,
        toResult(
          state,
          'cancelled',
          `Ended from outside: ${toText(attributes['reason']) || 'no reason given'}.`,
        ),
      );
    default:
      return [];
  }
}

function foldStart(state: State, attributes: Readonly<Record<string, unknown>>): RunEventBody[] {
  state.activities.clear();
  const [input, carried] = decodePayloads(attributes['input']) as [
    RunInput | undefined,
    RunState | undefined,
  ];
  if (state.input !== undefined || input === undefined) return [];
  state.input = input;
  const { goal, workspace, stagedFrom, by, approve, limits, models } = input;
  const stage = stagedFrom === undefined ? {} : { stagedFrom };
  return [
    {
      ...{ type: 'run.started', goal, workspace, ...stage },
      ...{ by, approve, limits, model: models.executor.model },
    },
    ...(carried === undefined ? [] : takeOver(state, input, carried)),
  ];
}

/** A forked or restored run begins with the plan and the counts of another. */
function takeOver(state: State, { from }: RunInput, carried: RunState): RunEventBody[] {
  state.asks = carried.asks;
  state.questions = carried.questions;
  state.round = carried.round;
  state.usage = { ...carried.usage };
  if (carried.plan === undefined) return [];
  state.titles = new Map(carried.steps.map(({ id, title }) => [id, title]));
  const steps = carried.steps.map(({ id, title, dependsOn }) => ({ id, title, dependsOn }));
  const approach = `Goes on from run ${from?.run ?? 'before'}.`;
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

function foldScheduled(state: State, type: string, request: unknown): RunEventBody[] {
  if (request === undefined) return [];
  if (type === 'think') {
    const { step } = request as ThinkRequest;
    if (state.open.has(step)) return [];
    state.open.add(step);
    const attempt = (state.attempts.get(step) ?? 0) + 1;
    state.attempts.set(step, attempt);
    state.usage.steps += 1;
    const lane = state.lanes.has(step) ? { lane: true as const } : {};
    return [
      { type: 'step.started', step, title: state.titles.get(step) ?? step, attempt, ...lane },
    ];
  }
  if (type === 'ensureWorkspace') {
    noteBatch(state, request as EnsureRequest);
    return [];
  }
  if (type !== 'act') return [];
  const act = request as ActRequest;
  const { call, seq, approval, settled } = act;
  if (settled !== undefined) return [];
  // Asked for once; with the answer it is only tried again. A standing order leaves no update to tell of.
  if (approval !== undefined) return foldApproval(state, approval);
  // Judged again after a change of policy.
  if (state.requested.has(seq)) return [];
  state.requested.add(seq);
  return [{ type: 'tool.requested', ...toCall(act), preview: call.preview }];
}

/** A step begins: what was in copies before is merged, or given up. */
function noteBatch(state: State, { checkpoint }: EnsureRequest): void {
  if (checkpoint === undefined) return;
  const { step, batch } = checkpoint;
  state.batches.delete(step);
  for (const id of batch ?? []) state.batches.set(id, batch ?? []);
}

function foldMerge(state: State, request: LaneRequest, merged: MergeResult): RunEventBody[] {
  const step = toLaneStep(request);
  state.lanes.delete(step);
  return [{ type: 'step.merged', step, ...(merged.ok ? {} : { conflicts: merged.paths }) }];
}

function foldCompleted(
  state: State,
  { type, request }: { readonly type: string; readonly request: unknown },
  result: unknown,
): RunEventBody[] {
  if (type === 'act') return foldAct(state, request as ActRequest, result as ActResult);
  if (type === 'openWorkspace') return foldOpening(state, result as OpenResult);
  if (type === 'mergeLane') return foldMerge(state, request as LaneRequest, result as MergeResult);
  if (type === 'openLane') {
    state.lanes.add(toLaneStep(request as LaneRequest));
    return [];
  }
  if (type === 'ensureWorkspace')
    return foldDrift(state, request as EnsureRequest, result as EnsureResult);
  if (type !== 'plan' && type !== 'think' && type !== 'review') return [];
  const outcome = result as ModelOutcome<unknown>;
  if (outcome.kind === 'unavailable') {
    return [{ type: 'model.waiting', address: outcome.address, reason: outcome.reason }];
  }
  if (outcome.kind === 'refused') return [];
  countModel(state.usage, state.prices, outcome);
  const told = outcome.kind === 'answer' ? foldAnswer(state, type, request, outcome.answer) : [];
  const { step, nudge, near } = request as Partial<ThinkRequest>;
  const nudged: RunEventBody[] =
    step === undefined || nudge === undefined ? [] : [{ type: 'nudge', step, text: nudge }];
  const budget = { usage: { ...state.usage }, ...(near === undefined ? {} : { near }) };
  return [...nudged, ...told, { type: 'budget', ...budget }];
}

function foldOpening(state: State, opened: OpenResult): RunEventBody[] {
  if (!opened.ok) return [];
  const { restricted, gitSettings, limits, prices } = opened;
  state.prices = prices;
  return [
    ...findUnpriced(state, limits),
    ...(restricted === undefined ? [] : [{ type: 'run.restricted' as const, reason: restricted }]),
    ...(gitSettings === undefined
      ? []
      : [{ type: 'git.settings' as const, settings: gitSettings }]),
  ];
}

/** Said at the start, while there is still time to write a price. */
function findUnpriced({ input, prices }: State, { usd }: Limits): RunEventBody[] {
  const limit = Math.min(usd ?? Infinity, input?.limits.usd ?? Infinity);
  if (input === undefined || limit === Infinity) return [];
  const names = Object.values(input.models).map(({ model }) => model);
  const models = [...new Set(names)].filter((model) => findPrice(prices, model) === undefined);
  return models.length === 0 ? [] : [{ type: 'budget.unpriced', models, limit }];
}

function foldAnswer(state: State, type: string, request: unknown, answer: unknown): RunEventBody[] {
  if (type === 'plan') {
    const { approach, steps, plan } = answer as PlanAnswer;
    state.round += 1;
    state.titles = new Map(steps.map(({ id, title }) => [id, title]));
    state.attempts.clear();
    state.open.clear();
    state.lanes.clear();
    state.batches.clear();
    return [{ type: 'plan.updated', round: state.round, approach, steps, plan }];
  }
  if (type === 'review') {
    const { step } = request as ReviewRequest;
    const { verdict, head } = answer as ReviewAnswer;
    if (step === undefined) state.open.clear();
    else state.open.delete(step);
    return [{ type: 'review', verdict, notes: head, ...(step === undefined ? {} : { step }) }];
  }
  const { step } = request as ThinkRequest;
  const { thought, transcript, question } = answer as ThinkAnswer;
  const events: RunEventBody[] = [{ type: 'thought', step, text: thought, transcript }];
  if (question !== undefined) {
    state.questions += 1;
    events.push({
      type: 'input.requested',
      step,
      request: `q${state.questions}`,
      question: question.text,
    });
  }
  return events;
}

const toCall = ({ step, seq, call: { tool }, hook }: ActRequest) => ({
  ...{ step, call: seq, tool },
  ...(hook === undefined ? {} : { hook }),
});

function foldAct(state: State, asked: ActRequest, result: ActResult): RunEventBody[] {
  const { call, seq, hook } = asked;
  const of = toCall(asked);
  const { verdict, rule, reason, policy, digest, observation, head, bytes, ok, exitCode, ms } =
    result;
  const decision: RunEventBody = { type: 'decision', ...of, verdict, rule, reason, policy };
  if (verdict === 'ask') {
    state.asks += 1;
    const request = `a${state.asks}`;
    return [
      decision,
      {
        ...{ type: 'approval.requested', ...of, request, preview: call.preview },
        ...{ rule, reason, digest },
        ...(result.unknown === undefined ? {} : { kind: 'unknown' }),
        ...(result.details === undefined ? {} : { details: result.details }),
        ...(result.refused === undefined ? {} : { refused: result.refused }),
      },
    ];
  }
  state.requested.delete(seq);
  // The budget of calls and output is the model's.
  if (hook === undefined) countAction(state.usage, call.tool, result);
  else state.usage.workMs += ms;
  const exit = exitCode === undefined ? {} : { exitCode };
  const { suspicious: places } = result;
  const suspicious = places === undefined ? {} : { suspicious: places };
  const ran: RunEventBody[] = verdict === 'allow' ? [{ type: 'tool.started', ...of }] : [];
  return [
    decision,
    ...ran,
    { type: 'tool.output', ...of, text: head, bytes, observation: observation ?? '' },
    { type: 'tool.finished', ...of, preview: call.preview, ok, ms, ...exit, ...suspicious },
    { type: 'budget', usage: { ...state.usage } },
  ];
}

function foldDrift(
  state: State,
  { checkpoint, rewind }: EnsureRequest,
  { drift, done, tree, refused }: EnsureResult,
): RunEventBody[] {
  if (rewind) return [];
  if (drift === undefined || drift.length === 0 || done === undefined) return [];
  const changed: RunEventBody = { type: 'workspace.drift', paths: drift, done };
  if (done !== 'ask') return [changed];
  state.asks += 1;
  const preview = `changed since the last step: ${drift.join(', ')}`.slice(0, 160);
  const reason = 'Approve to go on with what is there, deny to take it back.';
  return [
    changed,
    {
      ...{ type: 'approval.requested', kind: 'drift', request: `a${state.asks}` },
      ...{ step: checkpoint?.step ?? '', call: 0, tool: 'workspace', preview },
      ...{ rule: 'workspace.drift', reason, digest: tree },
      ...(refused === undefined ? {} : { refused }),
    },
  ];
}

function foldFailure(request: ActRequest, failure: object): RunEventBody[] {
  const { call } = request;
  const of = toCall(request);
  const text = decodeFailure(failure) || 'The action did not come to an end.';
  const bytes = Buffer.byteLength(text);
  return [
    { type: 'tool.output', ...of, text: text.slice(0, 200), bytes, observation: '' },
    { type: 'tool.finished', ...of, preview: call.preview, ok: false, ms: 0 },
  ];
}

const toText = (value: unknown): string => (typeof value === 'string' ? value : '');

function foldSignal(
  state: State,
  name: string,
  [first, second]: readonly unknown[],
): RunEventBody[] {
  const by = toText(first);
  switch (name) {
    case 'pause':
      if (state.paused) return [];
      state.paused = true;
      return [{ type: 'run.paused', by }];
    case 'resume':
      if (!state.paused) return [];
      state.paused = false;
      return [{ type: 'run.resumed', by }];
    case 'policyChanged':
      return [{ type: 'policy.changed', policy: by, by: toText(second) }];
    case 'say':
      return [{ type: 'said', text: by, by: toText(second) }];
    default:
      return [];
  }
}

function foldUpdate(state: State, attributes: Readonly<Record<string, unknown>>): RunEventBody[] {
  const { input } = (attributes['acceptedRequest'] ?? {}) as {
    input?: { name?: string; args?: unknown };
  };
  if (input?.name === 'rewind') {
    const [order] = decodePayloads(input.args) as [RewindOrder | undefined];
    state.open.clear();
    state.lanes.clear();
    if (order === undefined) return [];
    const { step, by } = order;
    const together = state.batches.get(step);
    return [{ type: 'run.rewound', step, by, ...(together === undefined ? {} : { together }) }];
  }
  if (input?.name !== 'answerApproval') return [];
  const [answer] = decodePayloads(input.args) as [ApprovalAnswer | undefined];
  return answer === undefined ? [] : foldApproval(state, answer);
}

function foldApproval(state: State, answer: ApprovalAnswer): RunEventBody[] {
  if (state.answered.has(answer.request)) return [];
  state.answered.add(answer.request);
  const { request, by, reason, edited } = answer;
  return [
    {
      type: 'approval.answered',
      request,
      answer: answer.answer,
      by,
      ...(reason === undefined ? {} : { reason }),
      ...(edited === undefined ? {} : { edited }),
    },
  ];
}

const toResult = (state: State, status: RunStatus, summary: string): RunResult => ({
  status,
  exitCode: status === 'cancelled' ? 130 : 1,
  summary,
  usage: { ...state.usage },
  changes: [],
});

/** A run that was ended from outside says nothing of its stage. */
function toStaged(
  input: RunInput | undefined,
  { staged, status }: RunResult,
): Extract<RunEventBody, { type: 'run.finished' }>['staged'] {
  if (input?.stagedFrom === undefined) return undefined;
  const told = staged ?? { target: input.stagedFrom, state: 'waiting' };
  if (told.state === 'promoted') return told;
  return { ...told, promote: `agent promote ${input.run}${status === 'done' ? '' : ' --force'}` };
}

function finish(state: State, result: RunResult): RunEventBody[] {
  state.finished = true;
  const { status, exitCode, summary, usage, changes, report, limit, hooks } = result;
  const staged = toStaged(state.input, result);
  const resume = toResume(state.input, status);
  return [
    {
      type: 'run.finished',
      status,
      exitCode,
      summary,
      usage,
      changes,
      ...(report === undefined ? {} : { report }),
      ...(limit === undefined ? {} : { limit }),
      ...(resume === undefined ? {} : { resume }),
      ...(hooks === undefined ? {} : { hooks }),
      ...(staged === undefined ? {} : { staged }),
    },
  ];
}

/**
 * The events of a run from its mirror file; after a reset, those of the history it has now. Verifies nothing:
 * `agent audit verify` does.
 */
export async function* readRunEvents(file: string): AsyncGenerator<RunEvent> {
  const projection = createProjection(basename(file, '.jsonl').replace(/^run-/, ''));
  for await (const event of readCurrentHistory(file)) yield* projection.apply(event);
}
