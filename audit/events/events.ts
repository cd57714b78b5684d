/**
 * Temporal history → run events. A pure fold over the durable events of a run, across the histories it went on in: every
 * reader, live or from a mirror file, computes the same events with the same numbers.
 */
import { basename } from 'node:path';

import type { ActRequest, ActResult } from '../../activities/contract/act.ts';
import type { ModelOutcome, ThinkRequest } from '../../activities/contract/model.ts';
import type {
  EnsureRequest,
  EnsureResult,
  LaneRequest,
  MergeResult,
  OpenResult,
} from '../../activities/contract/workspace.ts';
import type { MessagesRequest, MessagesResult } from '../../activities/contract/messages.ts';
import type { ApprovalAnswer, RewindOrder, RunResult } from '../../workflows/contract.ts';
import { countModel } from '../../workflows/usage.ts';
import { readCurrentHistory } from '../verify/executions.ts';
import { foldAct, foldApproval, foldDrift, foldFailure, toCall } from './fold-actions.ts';
import { foldAnswer, foldOpening, foldStart } from './fold-answers.ts';
import { finish, toResult } from './fold-end.ts';
import { attributesOf, decodeFailure, decodePayloads } from '../mirror/history-json.ts';
import type { HistoryEventJson } from '../mirror/history-json.ts';
import { toLaneStep } from './lane-step.ts';
import { createState } from './projection-state.ts';
import type { ProjectionState } from './projection-state.ts';
import type { RunEvent, RunEventBody } from './run-event.ts';

export type { RunEvent } from './run-event.ts';

export interface Projection {
  /** Events that follow from the next history event; call in order, once for each. */
  apply(event: HistoryEventJson): RunEvent[];
  /** True once `run.finished` was given out. */
  readonly finished: boolean;
}

/** `run` is the run's id, without `run-`. */
export function createProjection(run: string): Projection {
  const state = createState();
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

function fold(state: ProjectionState, event: HistoryEventJson): RunEventBody[] {
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

function foldScheduled(state: ProjectionState, type: string, request: unknown): RunEventBody[] {
  if (request === undefined) return [];
  if (type === 'think') {
    const { step } = request as ThinkRequest;
    // A step that goes on waits for nobody.
    for (const [id, asker] of state.asking) if (asker === step) state.asking.delete(id);
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
function noteBatch(state: ProjectionState, { checkpoint }: EnsureRequest): void {
  if (checkpoint === undefined) return;
  const { step, batch } = checkpoint;
  state.batches.delete(step);
  for (const id of batch ?? []) state.batches.set(id, batch ?? []);
}

function foldMerge(
  state: ProjectionState,
  request: LaneRequest,
  merged: MergeResult,
): RunEventBody[] {
  const step = toLaneStep(request);
  state.lanes.delete(step);
  return [{ type: 'step.merged', step, conflicts: merged.ok ? undefined : merged.paths }];
}

function foldCompleted(
  state: ProjectionState,
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
  if (type === 'checkMessages')
    return foldChecked(state, request as MessagesRequest, result as MessagesResult);
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
  const budget = { usage: { ...state.usage }, near };
  return [...nudged, ...told, { type: 'budget', ...budget }];
}

const toText = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Messages have their effect at once only in runs from before they were signed. */
const isChecked = ({ input }: ProjectionState): boolean => input?.order !== undefined;

const mostUnchecked = 1_000;

function foldSignal(
  state: ProjectionState,
  name: string,
  [first, second, third, proof]: readonly unknown[],
): RunEventBody[] {
  if (!isChecked(state)) return foldMessage(state, name, toText(first), toText(second), third);
  const { nonce } = (proof ?? {}) as { readonly nonce?: unknown };
  if (name === 'say' && state.unchecked.size < mostUnchecked)
    state.unchecked.set(toText(nonce), { text: toText(first), to: third });
  return [];
}

function foldChecked(
  state: ProjectionState,
  { messages }: MessagesRequest,
  { problems }: MessagesResult,
): RunEventBody[] {
  return messages.flatMap(({ what, by, about = '', nonce }, index) => {
    const said = state.unchecked.get(nonce);
    state.unchecked.delete(nonce);
    if (problems[index] !== null) return [];
    if (what === 'rewind') return foldRewind(state, { step: about, by });
    if (what === 'say') return foldMessage(state, what, said?.text ?? '', by, said?.to);
    if (what === 'policyChanged') return foldMessage(state, what, about, by);
    return foldMessage(state, what, by);
  });
}

function foldMessage(
  state: ProjectionState,
  name: string,
  first: string,
  second = '',
  third?: unknown,
): RunEventBody[] {
  switch (name) {
    case 'pause':
      if (state.paused) return [];
      state.paused = true;
      return [{ type: 'run.paused', by: first }];
    case 'resume':
      if (!state.paused) return [];
      state.paused = false;
      return [{ type: 'run.resumed', by: first }];
    case 'policyChanged':
      return [{ type: 'policy.changed', policy: first, by: second }];
    case 'say':
      return first === ''
        ? []
        : [{ type: 'said', text: first, by: second, ...toAnswered(state, third) }];
    default:
      return [];
  }
}

/** The question a message answers: the one it names, or from older clients the only one there is. */
function toAnswered({ asking }: ProjectionState, named: unknown): { readonly to?: string } {
  const [only] = asking.size === 1 ? asking.keys() : [];
  const to = named === undefined || named === null ? only : toText(named);
  return to !== undefined && asking.delete(to) ? { to } : {};
}

function foldRewind(state: ProjectionState, { step, by }: RewindOrder): RunEventBody[] {
  state.open.clear();
  state.lanes.clear();
  state.asking.clear();
  const together = state.batches.get(step);
  return [{ type: 'run.rewound', step, by, together }];
}

function foldUpdate(
  state: ProjectionState,
  attributes: Readonly<Record<string, unknown>>,
): RunEventBody[] {
  const { input } = (attributes['acceptedRequest'] ?? {}) as {
    input?: { name?: string; args?: unknown };
  };
  if (input?.name === 'rewind') {
    const [order] = decodePayloads(input.args) as [RewindOrder | undefined];
    return order === undefined || isChecked(state) ? [] : foldRewind(state, order);
  }
  if (input?.name !== 'answerApproval') return [];
  const [answer] = decodePayloads(input.args) as [ApprovalAnswer | undefined];
  return answer === undefined ? [] : foldApproval(state, answer);
}

/**
 * The events of a run from its mirror file; after a reset, those of the history it has now. Verifies nothing:
 * `agent audit verify` does.
 */
export async function* readRunEvents(file: string): AsyncGenerator<RunEvent> {
  const projection = createProjection(basename(file, '.jsonl').replace(/^run-/, ''));
  for await (const event of readCurrentHistory(file)) yield* projection.apply(event);
}
