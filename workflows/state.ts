import type { PlannedStep, Ref, SnapshotId } from '../activities/contract.ts';
import type { HooksInForce } from '../activities/hooks.ts';
import type { Limits, Prices } from '../policies/action.ts';
import type { Untrusted } from '../policies/untrusted/untrusted.ts';
import type { Activities } from './activities.ts';
import { proxyRunActivities } from './activities.ts';
import type {
  ApprovalAnswer,
  ApprovalRequest,
  RunInput,
  RunPhase,
  RunUsage,
  RewindOrder,
  RunView,
  StepView,
} from './contract.ts';
import type { PastAction } from './loops.ts';
import type { Unchecked } from './messages.ts';
import type { OpenQuestion, Word } from './words.ts';
import { hear } from './words.ts';

/** A step of the plan in force. Each has a conversation of its own, so several could run at once. */
export interface StepRecord extends PlannedStep {
  state: StepView['state'];
  /** Times the executor was set on it: 1 and one more for each retry the reviewer asked for. */
  attempts: number;
  turns: number;
  transcript?: Ref;
  /** Results the model has not seen yet. */
  observations: Ref[];
  /** The reviewer's notes the model has not seen yet. */
  notes: Ref[];
  /** What others have written and its conversation holds, since a person approved last. */
  untrusted?: Untrusted;
  /** What the executor says it achieved; set when it called `finish_step`. */
  claim?: string;
  /** The copy it works in, for one of several steps at once; no other step or try of the run has the name. */
  lane?: string;
  /** The last message of a person that its conversation has read. */
  heard?: number;
  /** Times a person's message set the executor on it again, after it had finished. */
  reopened?: number;
  /** Times a red hook gave it back to the model. */
  sentBack?: number;
  /** Where the run stood when the step began first: what a rewind goes back to. Steps that begin at once share it. */
  before?: { order: number; tree: SnapshotId; evidence?: Ref };
}

/** How a hook came out, and the snapshot of what it left. */
interface HookResult {
  ok: boolean;
  tree?: SnapshotId;
}

/** All that a run must remember, small and plain: it is carried over when the run goes on in a fresh history. */
export interface RunState {
  round: number;
  facts?: Ref;
  /** Tools that cannot work on the machine that has the workspace. */
  without?: string[];
  /** What every conversation begins with, where it counts as untrusted. */
  untrusted?: Untrusted;
  plan?: Ref;
  steps: StepRecord[];
  /** Why earlier plans were given up. */
  planNotes: Ref[];
  /** What steps of those plans achieved, one line each. */
  achieved: string[];
  policyLimits?: Limits;
  usage: { -readonly [K in keyof RunUsage]: RunUsage[K] };
  /** Snapshot from before the run; absent in runs that keep none. */
  base?: SnapshotId;
  /** Commit the workspace was at when the run began; empty for none. */
  head?: string;
  /** What the workspace holds as far as the run knows. */
  tree?: SnapshotId;
  /** True once a forked or restored run has its workspace. */
  arrived?: true;
  /** Independent steps that may run at once; 1 if absent. */
  parallel?: number;
  /** What must come out green, from the run's start on. */
  hooks?: HooksInForce;
  /** By place in that list: how each hook came out last, and on what. */
  hookResults?: Record<string, HookResult>;
  /** Why the last plan was given up, for the person who reads how the run ended. */
  refusal?: string;
  /** Steps begun so far; orders them. */
  begun?: number;
  /** Set from the order to go back until that is done. */
  rewind?: RewindOrder;
  /** Last observation: head of the chain of evidence. */
  evidence?: Ref;
  /** Actions so far; numbers them. */
  actions: number;
  /** Approval requests and questions so far; number them. */
  asks: number;
  questions: number;
  /** What people said; see words.ts. */
  words?: Word[];
  /** Questions of models that nobody has answered yet. */
  open?: OpenQuestion[];
  /** What people said since the last model call, as runs count that were begun before `words`. */
  said: string[];
  thought: string;
  pausedBy?: string;
  cancelledBy?: string;
  /** Denied calls in a row. */
  denials: number;
  /** The last outcome and how often in a row it came. */
  repeat: { key: string; count: number };
  /** The last actions, for loop detection. */
  recent?: PastAction[];
  /** Why the engine gave up the last plan, for the planner. */
  remarks?: string[];
  nudge?: string;
  /** Limits the model was told of, since they come to their end. */
  warnings?: string[];
  prices?: Prices;
  /** Messages that counted, by their numbers; none counts again. */
  counted?: { nonce: string; sent: number }[];
  /** What was sent up to then is known, or never counts. */
  countedUpTo?: number;
  /** Messages that did not count. */
  uncounted?: number;
}

/** The run in memory: state, plus what lives only as long as this history. */
export interface Run {
  readonly input: RunInput;
  readonly state: RunState;
  readonly activities: Activities;
  now: RunPhase;
  /** Messages nobody has checked yet. */
  readonly unchecked: Unchecked[];
  /** It is about to go on in a fresh history. */
  leaving?: true;
  pending: { request: ApprovalRequest; answer?: ApprovalAnswer; stale?: true }[];
  /** True for one of several steps that run at once. */
  readonly isLane?: true;
  /** Ends what is under way, for a rewind. */
  interrupt?: () => void;
  /** Last search attribute values, so that only changes are written. */
  shown: string;
}

export function createRun(input: RunInput, carried?: RunState): Run {
  return {
    input,
    activities: proxyRunActivities(input),
    now: { phase: 'opening' },
    pending: [],
    unchecked: [],
    shown: '',
    state: carried === undefined ? createState() : takeOver(carried),
  };
}

const createState = (): RunState => ({
  round: 0,
  steps: [],
  planNotes: [],
  achieved: [],
  usage: { steps: 0, toolCalls: 0, inputTokens: 0, outputTokens: 0, workMs: 0 },
  actions: 0,
  asks: 0,
  questions: 0,
  said: [],
  thought: '',
  denials: 0,
  repeat: { key: '', count: 0 },
});

/** What an older history carried over unread. */
function takeOver(carried: RunState): RunState {
  if (carried.words === undefined) for (const text of carried.said) hear(carried, text, '');
  // Nothing is asked between turns, and only there a run goes on elsewhere.
  carried.open = [];
  return carried;
}

/** Steps, in plan order, that are not done and whose dependencies are. */
export function readySteps({ steps }: RunState): StepRecord[] {
  const done = new Set(steps.filter((step) => step.state === 'done').map((step) => step.id));
  return steps.filter((step) => !done.has(step.id) && step.dependsOn.every((id) => done.has(id)));
}

/** What steps that are done achieved, one line each, short enough to travel in history. */
export function claimsOf({ steps }: RunState, length: number): string[] {
  return steps
    .filter((step) => step.state === 'done')
    .map((step) => `${step.title}: ${(step.claim ?? '').slice(0, length)}`);
}

const noLimit = Number.MAX_SAFE_INTEGER;

/** The lower of what the policy allows and what the operator asked for. */
export function limitsOf({ input, state }: Run): Limits {
  const least = (name: Exclude<keyof Limits, 'perTool'>): number =>
    Math.min(state.policyLimits?.[name] ?? noLimit, input.limits[name] ?? noLimit);
  const [usd, modelCalls] = [least('usd'), least('modelCalls')];
  const perTool = state.policyLimits?.perTool;
  return {
    steps: least('steps'),
    toolCalls: least('toolCalls'),
    tokens: least('tokens'),
    minutes: least('minutes'),
    outputBytes: least('outputBytes'),
    usd: usd === noLimit ? undefined : usd,
    modelCalls: modelCalls === noLimit ? undefined : modelCalls,
    perTool,
  };
}

export function toView(run: Run): RunView {
  const { input, state } = run;
  return {
    run: input.run,
    goal: input.goal,
    workspace: input.workspace,
    round: state.round,
    now: run.now,
    pausing: state.pausedBy !== undefined,
    steps: state.steps.map(({ id, title, dependsOn, state: at, before }) => ({
      id,
      title,
      dependsOn,
      state: at,
      begun: before === undefined ? undefined : true,
    })),
    usage: { ...state.usage },
    limits: limitsOf(run),
    thought: state.thought,
    waiting: run.pending.flatMap(({ request, answer, stale }) =>
      answer === undefined && stale !== true ? [request] : [],
    ),
    questions: (state.open ?? []).map(({ id, step, text }) => ({ id, step, question: text })),
  };
}
