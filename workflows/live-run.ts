import type { SentMessage } from '../activities/contract/messages.ts';
import type { Limits } from '../policies/action.ts';
import type { Activities } from './activities.ts';
import { proxyRunActivities } from './activities.ts';
import type { ApprovalAnswer, ApprovalRequest, RunInput, RunPhase, RunView } from './contract.ts';
import type { RunState, WorktreeState } from './state.ts';
import { createState } from './state.ts';
import { hear } from './words.ts';

/** A message waiting to be checked. */
export interface Unchecked {
  readonly sent: SentMessage;
  readonly take: (by: string) => void;
  /** Called with why it is invalid, as a sentence, or without. */
  readonly settle: (problem?: string) => void;
}

/** Where a step works. */
export interface Worktree {
  /** Absolute path. */
  readonly path: string;
  /** True for a copy of the workspace, used by one of several parallel steps. */
  readonly isCopy: boolean;
  /** For the workspace itself, this is the run's own state. */
  readonly state: WorktreeState;
}

/** The run in memory: its state, plus what lives only as long as this execution. */
export interface Run {
  readonly input: RunInput;
  readonly state: RunState;
  readonly worktree: Worktree;
  readonly activities: Activities;
  /** What it is currently doing; with parallel steps, the latest change. */
  readonly phase: { now: RunPhase };
  /** Messages not yet checked. */
  readonly unchecked: Unchecked[];
  /** About to continue as new. */
  leaving?: true;
  pending: { request: ApprovalRequest; answer?: ApprovalAnswer; stale?: true }[];
  /** Ends what is in progress, for a rewind. */
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

/** Takes over what an older execution left unread. */
function takeOver(carried: RunState): RunState {
  if (carried.words === undefined) for (const text of carried.said) hear(carried, text, '');
  // No question is open between turns, the only time a run continues as new.
  carried.open = [];
  return carried;
}

const noLimit = Number.MAX_SAFE_INTEGER;

/** The lower of the policy's and the operator's limits. */
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
