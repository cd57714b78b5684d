/** A run's snapshots according to its log: where each step began, and where the run could continue. */
import type { ActRequest, ActResult } from '../../activities/contract/act.ts';
import type {
  EnsureRequest,
  EnsureResult,
  MergeResult,
} from '../../activities/contract/workspace.ts';
import type {
  ModelOutcome,
  PlannedStep,
  ThinkAnswer,
  ThinkRequest,
} from '../../activities/contract/model.ts';
import type { RunInput } from '../../workflows/contract.ts';
import type { RunState, StepRecord } from '../../workflows/state.ts';
import { nextRequest } from '../../workflows/questions.ts';
import { noteMerged, noteResult, toFreshStep } from '../../workflows/state.ts';
import { countAction, countModel } from '../../workflows/usage.ts';
import { hear } from '../../workflows/words.ts';
import { readChain } from '../record/chain.ts';
import type { HistoryEventJson } from '../mirror/history-json.ts';
import type { Completed, Fact } from './facts.ts';
import { createFactReader } from './facts.ts';
import { toLaneStep } from './lane-step.ts';

/** A step as last begun. */
export interface TrailStep extends Pick<PlannedStep, 'id' | 'title'> {
  readonly round: number;
  /** Snapshot at its start. */
  readonly before: string;
  /** Snapshot after its last call so far. */
  readonly after: string;
  /** All steps started at once here, including this one; absent if it started alone. */
  readonly together?: readonly string[];
  /** The run's state at its start. */
  readonly state: RunState;
}

export interface Trail {
  /** The run's original input. */
  readonly input: RunInput;
  /** Snapshot from before the run; absent if it kept none. */
  readonly base?: string;
  /** Snapshot after the last call. */
  readonly tree?: string;
  /** In the order begun. */
  readonly steps: readonly TrailStep[];
  /**
   * The state at the start of the last turn or after the last merge, for when the server is lost; absent before the
   * first step. During parallel steps, it precedes everything unmerged.
   */
  readonly point?: RunState;
  readonly ended: boolean;
}

interface Folded {
  input?: RunInput;
  base?: string;
  tree?: string;
  steps: TrailStep[];
  point?: RunState;
  /** The current state; `point` is a copy from the start of a turn. */
  now?: RunState;
  ended: boolean;
  /** Parallel steps and their claims, which become the run's when merged. */
  worktrees: Map<string, { claim?: string }>;
}

/** Reads a run's log. Undefined if it has no start of one. */
export async function readTrail(file: string): Promise<Trail | undefined> {
  const folded: Folded = { steps: [], ended: false, worktrees: new Map() };
  const readFact = createFactReader();
  for await (const record of readChain(file)) {
    if (record['kind'] !== 'event') continue;
    const fact = readFact(record['event'] as HistoryEventJson);
    if (fact !== undefined) fold(folded, fact);
  }
  const { input, base, tree, steps, point, ended } = folded;
  if (input === undefined) return undefined;
  return { input, steps, ended, base, tree, point };
}

function fold(folded: Folded, fact: Fact): void {
  if (fact.kind === 'started') start(folded, fact);
  if (fact.kind === 'scheduled' && fact.name === 'think') beginTurn(folded, fact.request);
  if (fact.kind === 'signal' && fact.name === 'say') noteSaid(folded, fact.args[0]);
  if (fact.kind === 'completed') complete(folded, fact);
  if (fact.kind === 'ended') folded.ended = true;
}

function start(folded: Folded, { input, carried }: Extract<Fact, { kind: 'started' }>): void {
  const goesOn = folded.input !== undefined;
  folded.input ??= input;
  folded.worktrees.clear();
  if (carried === undefined) return;
  folded.now = carried;
  if (carried.base !== undefined) folded.base ??= carried.base;
  if (carried.tree !== undefined) folded.tree = carried.tree;
  // A run continues as new only with nothing in progress.
  if (goesOn || carried.steps.some((step) => step.state === 'running'))
    folded.point = structuredClone(carried);
}

/** Said since the last checkpoint: whoever continues from there has not read it. */
function noteSaid({ now, point }: Folded, message: unknown): void {
  if (typeof message !== 'string') return;
  for (const state of [now, point]) if (state !== undefined) hear(state, message, '');
}

function complete(folded: Folded, done: Completed): void {
  switch (done.name) {
    case 'openWorkspace':
      if (!done.result.ok || done.result.tree === undefined) return;
      folded.base ??= done.result.tree;
      folded.tree = done.result.tree;
      return;
    case 'openLane':
      folded.worktrees.set(toLaneStep(done.request), {});
      return;
    case 'mergeLane':
      merge(folded, toLaneStep(done.request), done.result);
      return;
    case 'ensureWorkspace':
      ensure(folded, done.request, done.result);
      return;
    case 'act':
      act(folded, done.request, done.result);
      return;
    case 'think':
      noteClaim(folded, done.request, done.result);
      noteUsage(folded, done.result);
      return;
    case 'plan':
    case 'review':
      noteUsage(folded, done.result);
      return;
    case 'checkMessages':
    case 'closeRun':
    case 'inspectWork':
    case 'promote':
      return;
    default:
    // From another version.
  }
}

function noteClaim(
  { worktrees }: Folded,
  { step }: ThinkRequest,
  outcome: ModelOutcome<ThinkAnswer>,
): void {
  if (outcome.kind !== 'answer' || outcome.answer.finish === undefined || !worktrees.has(step))
    return;
  worktrees.set(step, { claim: outcome.answer.finish.summary });
}

/** What is merged is done, and nothing before it can be continued any more. */
function merge(folded: Folded, id: string, merged: MergeResult): void {
  const claims = folded.worktrees.get(id);
  folded.worktrees.delete(id);
  if (!merged.ok) return;
  folded.tree = merged.tree;
  const { now } = folded;
  const step = now?.steps.find((of) => of.id === id);
  if (now === undefined || step === undefined) return;
  if (claims?.claim !== undefined) step.claim = claims.claim;
  noteMerged(now, step, merged);
  folded.point = structuredClone(now);
}

function ensure(
  folded: Folded,
  { checkpoint, workspace }: EnsureRequest,
  { tree }: EnsureResult,
): void {
  const inCopy = isCopy(folded, workspace);
  if (!inCopy) {
    folded.tree = tree;
    // Copies of an abandoned batch, or from before a rewind.
    folded.worktrees.clear();
  }
  if (checkpoint === undefined) return;
  const state: RunState = { ...(checkpoint.state as RunState), tree };
  if (inCopy) {
    // Older runs had checkpoints in worktrees. The copies are lost with the server: what is not merged starts over.
    state.steps = state.steps.map((step) =>
      step.state === 'done' && !folded.worktrees.has(step.id) ? step : toFreshStep(step),
    );
  }
  folded.now = structuredClone(state);
  folded.point = structuredClone(state);
  for (const id of checkpoint.batch ?? [checkpoint.step])
    beginStep(folded, id, state, checkpoint.batch);
}

function beginStep(
  folded: Folded,
  begun: string,
  state: RunState,
  together?: readonly string[],
): void {
  const step = state.steps.find(({ id }) => id === begun);
  // A step retried after a review continues from where it first began.
  if (step === undefined || (step.attempts > 1 && step.before !== undefined)) return;
  const { round, tree = '' } = state;
  folded.steps = folded.steps.filter(({ id, round: of }) => id !== step.id || of !== round);
  const { id, title } = step;
  folded.steps.push({ id, title, round, before: tree, after: tree, state, together });
}

const isCopy = ({ input }: Folded, workspace: string): boolean =>
  input !== undefined && workspace !== input.workspace;

/** The turn's request holds the step's conversation so far: with the counts, all that is needed to ask again. */
function beginTurn(folded: Folded, request: ThinkRequest): void {
  const { now } = folded;
  const step = now?.steps.find(({ id }) => id === request.step);
  if (now === undefined || step === undefined || folded.worktrees.has(request.step)) return;
  Object.assign(step, {
    state: 'running',
    observations: [...request.observations],
    notes: [...request.notes],
    transcript: request.transcript,
  } satisfies Partial<StepRecord>);
  if (folded.tree !== undefined) now.tree = folded.tree;
  folded.point = structuredClone(now);
  step.turns += 1;
}

function act(
  folded: Folded,
  { seq, step, workspace, call, hook }: ActRequest,
  result: ActResult,
): void {
  if (result.tree !== undefined) {
    if (!isCopy(folded, workspace)) folded.tree = result.tree;
    folded.steps = folded.steps.map((of, index) =>
      of.id === step && index === folded.steps.findLastIndex(({ id }) => id === step)
        ? { ...of, after: result.tree ?? of.after }
        : of,
    );
  }
  const { now } = folded;
  if (now === undefined) return;
  now.actions = Math.max(now.actions, seq);
  if (result.verdict === 'ask') {
    nextRequest(now);
    return;
  }
  if (hook === undefined) countAction(now.usage, call.tool, result);
  else now.usage.workMs += result.ms;
  if (!isCopy(folded, workspace)) noteResult(now, result);
}

function noteUsage({ now }: Folded, outcome: ModelOutcome<unknown>): void {
  if (now !== undefined) countModel(now.usage, now.prices, outcome);
}
