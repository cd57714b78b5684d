import type { SentMessage } from '../activities/contract/messages.ts';
import type { Limits } from '../policies/action.ts';
import type { Activities } from './activities.ts';
import { proxyRunActivities } from './activities.ts';
import type { ApprovalAnswer, ApprovalRequest, RunInput, RunPhase, RunView } from './contract.ts';
import type { RunState, WorktreeState } from './state.ts';
import { createState } from './state.ts';
import { hear } from './words.ts';

/** A message that waits to be checked. */
export interface Unchecked {
  readonly sent: SentMessage;
  readonly take: (by: string) => void;
  /** With why it does not count, as a sentence, or without. */
  readonly settle: (problem?: string) => void;
}

/** Where a step works. */
export interface Worktree {
  /** Absolute path. */
  readonly path: string;
  /** True for a copy of the workspace, for one of several steps that run at once. */
  readonly isCopy: boolean;
  /** Of the workspace itself it is the run's own state. */
  readonly state: WorktreeState;
}

/** The run in memory: state, plus what lives only as long as this history. */
export interface Run {
  readonly input: RunInput;
  readonly state: RunState;
  readonly worktree: Worktree;
  readonly activities: Activities;
  /** What it is doing right now; of steps at once, the one that moved last. */
  readonly phase: { now: RunPhase };
  /** Messages nobody has checked yet. */
  readonly unchecked: Unchecked[];
  /** It is about to go on in a fresh history. */
  leaving?: true;
  pending: { request: ApprovalRequest; answer?: ApprovalAnswer; stale?: true }[];
  /** Ends what is under way, for a rewind. */
  interrupt?: () => void;
  /** Last search attribute values, so that only changes are written. */
  shown: string;
}

export function createRun(input: RunInput, carried?: RunState): Run {
  const state = carried === undefined ? createState() : takeOver(carried);
  return {
    input,
    state,
    worktree: { path: input.workspace, isCopy: false, state },
    activities: proxyRunActivities(input),
    phase: { now: { phase: 'opening' } },
    pending: [],
    unchecked: [],
    shown: '',
  };
}

/** What an older history carried over unread. */
function takeOver(carried: RunState): RunState {
  if (carried.words === undefined) for (const text of carried.said) hear(carried, text, '');
  // Nothing is asked between turns, and only there a run goes on elsewhere.
  carried.open = [];
  return carried;
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
    now: run.phase.now,
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
