/** What a run's log says of its snapshots: where each step began, and where the run could go on. */
import type { ActRequest, ActResult } from '../../activities/contract/act.ts';
import type {
  ModelOutcome,
  PlannedStep,
  ThinkAnswer,
  ThinkRequest,
} from '../../activities/contract/model.ts';
import type {
  EnsureRequest,
  EnsureResult,
  LaneRequest,
  MergeResult,
  OpenResult,
} from '../../activities/contract/workspace.ts';
import type { RunInput } from '../../workflows/contract.ts';
import type { RunState, StepRecord } from '../../workflows/state.ts';
import { toFreshStep } from '../../workflows/state.ts';
import { hear } from '../../workflows/words.ts';
import { readChain } from '../record/chain.ts';
import { attributesOf, decodePayloads } from '../mirror/history-json.ts';
import type { HistoryEventJson } from '../mirror/history-json.ts';
import { toLaneStep } from './lane-step.ts';

/** A step as it was begun last. */
export interface TrailStep extends Pick<PlannedStep, 'id' | 'title'> {
  readonly round: number;
  /** Snapshot from its start. */
  readonly before: string;
  /** Snapshot after its last call so far. */
  readonly after: string;
  /** All the steps that began at once here, this one among them; absent when it began alone. */
  readonly together?: readonly string[];
  /** The run's state at its start. */
  readonly state: RunState;
}

export interface Trail {
  /** As the run was started. */
  readonly input: RunInput;
  /** Snapshot from before the run; absent when it kept none. */
  readonly base?: string;
  /** Snapshot after the last call. */
  readonly tree?: string;
  /** In the order begun. */
  readonly steps: readonly TrailStep[];
  /**
   * The state at the start of the last turn or after the last merge, for a run whose server is lost; absent before the
   * first step. While steps run at once it is that from before all that is not merged.
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
  /** As of now; `point` is a copy of it from the start of a turn. */
  now?: RunState;
  ended: boolean;
  /** Steps that run beside others in copies, with what they claim; it is the run's only when it is merged. */
  lanes: Map<string, { claim?: string }>;
  activities: Map<string, { readonly type: string; readonly request: unknown }>;
}

const end = /^EVENT_TYPE_WORKFLOW_EXECUTION_(?:COMPLETED|FAILED|TIMED_OUT|CANCELED|TERMINATED)$/;

/** Reads the log of a run. Undefined when it holds no start of one. */
export async function readTrail(file: string): Promise<Trail | undefined> {
  const folded: Folded = { steps: [], ended: false, lanes: new Map(), activities: new Map() };
  for await (const record of readChain(file))
    if (record['kind'] === 'event') fold(folded, record['event'] as HistoryEventJson);
  const { input, base, tree, steps, point, ended } = folded;
  if (input === undefined) return undefined;
  return { input, steps, ended, base, tree, point };
}

function fold(folded: Folded, event: HistoryEventJson): void {
  const attributes = attributesOf(event);
  if (end.test(event.eventType)) folded.ended = true;
  switch (event.eventType) {
    case 'EVENT_TYPE_WORKFLOW_EXECUTION_STARTED': {
      const [input, carried] = decodePayloads(attributes['input']);
      const goesOn = folded.input !== undefined;
      folded.input ??= input as RunInput;
      folded.activities.clear();
      folded.lanes.clear();
      const state = carried as RunState | undefined;
      if (state === undefined) break;
      folded.now = state;
      if (state.base !== undefined) folded.base ??= state.base;
      if (state.tree !== undefined) folded.tree = state.tree;
      // A run goes on in another history only with nothing under way.
      if (goesOn || state.steps.some((step) => step.state === 'running'))
        folded.point = structuredClone(state);
      break;
    }
    case 'EVENT_TYPE_ACTIVITY_TASK_SCHEDULED': {
      const { name = '' } = (attributes['activityType'] ?? {}) as { name?: string };
      const [request] = decodePayloads(attributes['input']);
      folded.activities.set(event.eventId, { type: name, request });
      if (name === 'think') beginTurn(folded, request as ThinkRequest);
      break;
    }
    case 'EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED': {
      const [message] = decodePayloads(attributes['input']);
      // Said since the last checkpoint: whoever goes on from here has not read it.
      if (attributes['signalName'] === 'say' && typeof message === 'string')
        for (const state of [folded.now, folded.point])
          if (state !== undefined) hear(state, message, '');
      break;
    }
    case 'EVENT_TYPE_ACTIVITY_TASK_COMPLETED': {
      const activity = folded.activities.get(String(attributes['scheduledEventId']));
      const [result] = decodePayloads(attributes['result']);
      if (activity !== undefined && result !== undefined)
        complete(folded, activity.type, activity.request, result);
      break;
    }
    default:
  }
}

function complete(folded: Folded, type: string, request: unknown, result: unknown): void {
  switch (type) {
    case 'openWorkspace': {
      const opened = result as OpenResult;
      if (opened.ok && opened.tree !== undefined) {
        folded.base ??= opened.tree;
        folded.tree = opened.tree;
      }
      break;
    }
    case 'openLane':
      folded.lanes.set(toLaneStep(request as LaneRequest), {});
      break;
    case 'mergeLane':
      merge(folded, toLaneStep(request as LaneRequest), result as MergeResult);
      break;
    case 'ensureWorkspace':
      ensure(folded, request as EnsureRequest, result as EnsureResult);
      break;
    case 'act':
      act(folded, request as ActRequest, result as ActResult);
      break;
    case 'think':
      noteClaim(folded, request as ThinkRequest, result as ModelOutcome<ThinkAnswer>);
      countModel(folded.now, result as ModelOutcome<unknown>);
      break;
    case 'plan':
    case 'review':
      countModel(folded.now, result as ModelOutcome<unknown>);
      break;
    default:
  }
}

function noteClaim(
  { lanes }: Folded,
  { step }: ThinkRequest,
  outcome: ModelOutcome<ThinkAnswer>,
): void {
  if (outcome.kind !== 'answer' || outcome.answer.finish === undefined || !lanes.has(step)) return;
  lanes.set(step, { claim: outcome.answer.finish.summary });
}

/** What is merged is done, and nothing can be taken over from before it any more. */
function merge(folded: Folded, id: string, merged: MergeResult): void {
  const claims = folded.lanes.get(id);
  folded.lanes.delete(id);
  if (!merged.ok) return;
  folded.tree = merged.tree;
  const { now } = folded;
  const step = now?.steps.find((of) => of.id === id);
  if (now === undefined || step === undefined) return;
  Object.assign(step, { state: 'done', ...claims } satisfies Partial<StepRecord>);
  now.tree = merged.tree;
  if (merged.evidence !== undefined) now.evidence = merged.evidence;
  folded.point = structuredClone(now);
}

function ensure(
  folded: Folded,
  { checkpoint, workspace }: EnsureRequest,
  { tree }: EnsureResult,
): void {
  const isLane = isCopy(folded, workspace);
  if (!isLane) {
    folded.tree = tree;
    // Copies of a batch that was given up, or from before a rewind.
    folded.lanes.clear();
  }
  if (checkpoint === undefined) return;
  const state: RunState = { ...(checkpoint.state as RunState), tree };
  if (isLane) {
    // Older runs had checkpoints in lanes. The copies are lost with the server: what is not merged begins anew.
    state.steps = state.steps.map((step) =>
      step.state === 'done' && !folded.lanes.has(step.id) ? step : toFreshStep(step),
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
  // A step tried again after a review goes on from where it began first.
  if (step === undefined || (step.attempts > 1 && step.before !== undefined)) return;
  const { round, tree = '' } = state;
  folded.steps = folded.steps.filter(({ id, round: of }) => id !== step.id || of !== round);
  const { id, title } = step;
  folded.steps.push({ id, title, round, before: tree, after: tree, state, together });
}

const isCopy = ({ input }: Folded, workspace: string): boolean =>
  input !== undefined && workspace !== input.workspace;

/** The turn's request holds the step's conversation so far: together with the counts, all that is needed to ask again. */
function beginTurn(folded: Folded, request: ThinkRequest): void {
  const { now } = folded;
  const step = now?.steps.find(({ id }) => id === request.step);
  if (now === undefined || step === undefined || folded.lanes.has(request.step)) return;
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

function act(folded: Folded, { seq, step, workspace, hook }: ActRequest, result: ActResult): void {
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
    now.asks += 1;
    return;
  }
  if (hook === undefined) now.usage.toolCalls += 1;
  now.usage.workMs += result.ms;
  if (result.observation !== undefined && !isCopy(folded, workspace))
    now.evidence = result.observation;
}

function countModel(now: RunState | undefined, outcome: ModelOutcome<unknown>): void {
  if (now === undefined || outcome.kind !== 'answer') return;
  now.usage.inputTokens += outcome.usage.inputTokens;
  now.usage.outputTokens += outcome.usage.outputTokens;
  now.usage.workMs += outcome.ms;
}
