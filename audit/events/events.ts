/**
 * Temporal history → run events. A pure fold over a run's durable events across all its executions: every reader, live
 * or from a mirror file, computes the same events with the same numbers.
 */
import { basename } from 'node:path';

import type {
  EnsureRequest,
  LaneRequest,
  MergeResult,
} from '../../activities/contract/workspace.ts';
import { countModel } from '../../workflows/usage.ts';
import { readCurrentHistory } from '../verify/executions.ts';
import type { Completed, Fact, Scheduled } from './facts.ts';
import { createFactReader } from './facts.ts';
import { foldAct, foldApproval, foldDrift, foldFailure, toCall } from './fold-actions.ts';
import { foldAnswer, foldOpening, foldStart } from './fold-answers.ts';
import { foldEnd } from './fold-end.ts';
import { foldBusy, foldPhase } from './fold-phase.ts';
import { foldChecked, foldSignal, foldUpdate } from './fold-messages.ts';
import type { HistoryEventJson } from '../mirror/history-json.ts';
import { toLaneStep } from './lane-step.ts';
import { createState } from './projection-state.ts';
import type { ProjectionState } from './projection-state.ts';
import type { RunEvent, RunEventBody } from './run-event.ts';

export type { RunEvent } from './run-event.ts';

export interface Projection {
  /** Returns the run events following from the next history event; call once for each, in order. */
  apply(event: HistoryEventJson): RunEvent[];
  /** True once `run.finished` was returned. */
  readonly finished: boolean;
}

/** `run` is the run's id, without `run-`. */
export function createProjection(run: string): Projection {
  const state = createState();
  const readFact = createFactReader();
  return {
    get finished() {
      return state.finished;
    },
    apply(event) {
      const fact = state.finished ? undefined : readFact(event);
      if (fact === undefined) return [];
      const time = event.eventTime;
      return fold(state, fact).map((body) => {
        state.seq += 1;
        return { v: 1, seq: state.seq, run, time, ...body };
      });
    },
  };
}

function fold(state: ProjectionState, fact: Fact): RunEventBody[] {
  switch (fact.kind) {
    case 'started':
      return foldStart(state, fact);
    case 'scheduled':
      return [...foldPhase(state, fact.name, fact.request), ...foldScheduled(state, fact)];
    case 'completed':
      return foldCompleted(state, fact);
    case 'failed':
      return fact.name === 'act' ? foldFailure(fact.request, fact.failure) : [];
    case 'signal':
      return foldSignal(state, fact.name, fact.args);
    case 'update':
      return foldUpdate(state, fact.name, fact.args);
    case 'ended':
      return foldEnd(state, fact);
  }
}

function foldScheduled(state: ProjectionState, { name, request }: Scheduled): RunEventBody[] {
  if (name === 'think') return foldTurn(state, request.step);
  if (name === 'ensureWorkspace') noteBatch(state, request);
  if (name !== 'act') return [];
  const { call, seq, approval, settled } = request;
  if (settled !== undefined) return [];
  // Asked once; with the answer it is only retried. A standing order leaves no update to report.
  if (approval !== undefined) return foldApproval(state, approval);
  // Judged again after a policy change.
  if (state.requested.has(seq)) return [];
  state.requested.add(seq);
  return [{ type: 'tool.requested', ...toCall(request), preview: call.preview }];
}

/** The first turn of an attempt begins the step. */
function foldTurn(state: ProjectionState, step: string): RunEventBody[] {
  // A step that continues waits for nobody.
  for (const [id, asker] of state.asking) if (asker === step) state.asking.delete(id);
  if (state.open.has(step)) return [];
  state.open.add(step);
  const attempt = (state.attempts.get(step) ?? 0) + 1;
  state.attempts.set(step, attempt);
  state.usage.steps += 1;
  const title = state.titles.get(step) ?? step;
  const lane = state.worktrees.has(step) ? true : undefined;
  return [{ type: 'step.started', step, title, attempt, lane }];
}

/** A step begins: earlier copies have been merged or given up. */
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
  state.worktrees.delete(step);
  return [{ type: 'step.merged', step, conflicts: merged.ok ? undefined : merged.paths }];
}

function foldCompleted(state: ProjectionState, done: Completed): RunEventBody[] {
  switch (done.name) {
    case 'openWorkspace':
      return [...foldBusy(state, done.result), ...foldOpening(state, done.result)];
    case 'ensureWorkspace':
      return foldDrift(state, done.request, done.result);
    case 'openLane':
      state.worktrees.add(toLaneStep(done.request));
      return [];
    case 'mergeLane':
      return foldMerge(state, done.request, done.result);
    case 'act':
      return foldAct(state, done.request, done.result);
    case 'checkMessages':
      return foldChecked(state, done.request, done.result);
    case 'plan':
    case 'think':
    case 'review':
      return foldModel(state, done);
    case 'closeRun':
    case 'inspectWork':
    case 'promote':
      return [];
    default:
      // From another version.
      return [];
  }
}

function foldModel(
  state: ProjectionState,
  asked: Extract<Completed, { name: 'plan' | 'think' | 'review' }>,
): RunEventBody[] {
  const { result } = asked;
  if (result.kind === 'unavailable') {
    // The next attempt is news.
    state.phases.clear();
    return [{ type: 'model.waiting', address: result.address, reason: result.reason }];
  }
  if (result.kind === 'refused') return [];
  countModel(state.usage, state.prices, result);
  const events = result.kind === 'answer' ? foldAnswer(state, asked, result.answer) : [];
  const { step, nudge, near } = asked.name === 'think' ? asked.request : {};
  if (step !== undefined && nudge !== undefined)
    events.unshift({ type: 'nudge', step, text: nudge });
  return [...events, { type: 'budget', usage: { ...state.usage }, near }];
}

/**
 * A run's events from its mirror file; after a reset, those of its current history. Verifies nothing: `agent audit
 * verify` does.
 */
export async function* readRunEvents(file: string): AsyncGenerator<RunEvent> {
  const projection = createProjection(basename(file, '.jsonl').replace(/^run-/, ''));
  for await (const event of readCurrentHistory(file)) yield* projection.apply(event);
}
