/** What a run's log says of its snapshots: where each step began, and where the run could go on. */
import type {
  ActRequest,
  ActResult,
  EnsureRequest,
  EnsureResult,
  LaneRequest,
  MergeResult,
  ModelOutcome,
  OpenResult,
  PlannedStep,
  ThinkRequest,
} from '../activities/contract.ts';
import type { RunInput } from '../workflows/contract.ts';
import type { RunState, StepRecord } from '../workflows/state.ts';
import { readChain } from './chain.ts';
import { attributesOf, decodePayloads } from './history-json.ts';
import type { HistoryEventJson } from './history-json.ts';

/** A step as it was begun last. */
export interface TrailStep extends Pick<PlannedStep, 'id' | 'title'> {
  readonly round: number;
  /** Snapshot from its start. */
  readonly before: string;
  /** Snapshot after its last call so far. */
  readonly after: string;
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
  /** The state at the start of the last turn, for a run whose server is lost; absent before the first step. */
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
  /** Steps that run beside others, in copies; what they do is the run's only when it is merged. */
  lanes: Set<string>;
  activities: Map<string, { readonly type: string; readonly request: unknown }>;
}

const end = /^EVENT_TYPE_WORKFLOW_EXECUTION_(?:COMPLETED|FAILED|TIMED_OUT|CANCELED|TERMINATED)$/;

/** Reads the log of a run. Undefined when it holds no start of one. */
export async function readTrail(file: string): Promise<Trail | undefined> {
  const folded: Folded = { steps: [], ended: false, lanes: new Set(), activities: new Map() };
  for await (const record of readChain(file))
    if (record['kind'] === 'event') fold(folded, record['event'] as HistoryEventJson);
  const { input, base, tree, steps, point, ended } = folded;
  if (input === undefined) return undefined;
  return {
    ...{ input, steps, ended },
    ...(base === undefined ? {} : { base }),
    ...(tree === undefined ? {} : { tree }),
    ...(point === undefined ? {} : { point }),
  };
}

function fold(folded: Folded, event: HistoryEventJson): void {
  const attributes = attributesOf(event);
  if (end.test(event.eventType)) folded.ended = true;
  switch (event.eventType) {
    case 'EVENT_TYPE_WORKFLOW_EXECUTION_STARTED': {
      const [input, carried] = decodePayloads(attributes['input']);
      folded.input ??= input as RunInput;
      folded.activities.clear();
      const state = carried as RunState | undefined;
      if (state === undefined) break;
      folded.now = state;
      if (state.base !== undefined) folded.base ??= state.base;
      if (state.tree !== undefined) folded.tree = state.tree;
      if (state.steps.some((step) => step.state === 'running'))
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
      folded.lanes.add(toStep(request as LaneRequest));
      break;
    case 'mergeLane': {
      const merged = result as MergeResult;
      folded.lanes.delete(toStep(request as LaneRequest));
      if (merged.ok) folded.tree = merged.tree;
      break;
    }
    case 'ensureWorkspace':
      ensure(folded, request as EnsureRequest, result as EnsureResult);
      break;
    case 'act':
      act(folded, request as ActRequest, result as ActResult);
      break;
    case 'think':
    case 'plan':
    case 'review':
      countModel(folded.now, result as ModelOutcome<unknown>);
      break;
    default:
  }
}

/** Lanes are named `<round>-<step>`. */
const toStep = ({ lane }: LaneRequest): string => lane.slice(lane.indexOf('-') + 1);

function ensure(folded: Folded, { checkpoint }: EnsureRequest, { tree }: EnsureResult): void {
  const isLane = checkpoint !== undefined && folded.lanes.has(checkpoint.step);
  if (!isLane) folded.tree = tree;
  if (checkpoint === undefined) return;
  const state: RunState = { ...(checkpoint.state as RunState), tree };
  if (isLane) {
    // The copies are lost with the server: the batch begins anew.
    state.steps = state.steps.map((step) =>
      step.state === 'done' ? step : { ...step, state: 'waiting', attempts: 0, turns: 0 },
    );
  }
  folded.now = structuredClone(state);
  folded.point = structuredClone(state);
  const step = state.steps.find(({ id }) => id === checkpoint.step);
  // A step tried again after a review goes on from where it began first.
  if (step === undefined || (step.attempts > 1 && step.before !== undefined)) return;
  const { round } = state;
  folded.steps = folded.steps.filter(({ id, round: of }) => id !== step.id || of !== round);
  const { id, title } = step;
  folded.steps.push({ id, title, round, before: tree, after: tree, state });
}

/** The turn's request holds the step's conversation so far: together with the counts, all that is needed to ask again. */
function beginTurn(folded: Folded, request: ThinkRequest): void {
  const { now } = folded;
  const step = now?.steps.find(({ id }) => id === request.step);
  if (now === undefined || step === undefined || folded.lanes.has(request.step)) return;
  Object.assign(step, {
    state: 'running',
    observations: [...request.observations],
    notes: [...request.notes],
    ...(request.transcript === undefined ? {} : { transcript: request.transcript }),
  } satisfies Partial<StepRecord>);
  if (folded.tree !== undefined) now.tree = folded.tree;
  folded.point = structuredClone(now);
  step.turns += 1;
}

function act(folded: Folded, { seq, step }: ActRequest, result: ActResult): void {
  if (result.tree !== undefined) {
    if (!folded.lanes.has(step)) folded.tree = result.tree;
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
  now.usage.toolCalls += 1;
  now.usage.workMs += result.ms;
  if (result.observation !== undefined) now.evidence = result.observation;
}

function countModel(now: RunState | undefined, outcome: ModelOutcome<unknown>): void {
  if (now === undefined || outcome.kind !== 'answer') return;
  now.usage.inputTokens += outcome.usage.inputTokens;
  now.usage.outputTokens += outcome.usage.outputTokens;
  now.usage.workMs += outcome.ms;
}
