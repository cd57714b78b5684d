/** A run's public interface: queues, input, result, messages. Plain types; the edge validates. */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { Approval, Order } from '../activities/contract/approval.ts';
import type { ModelChoice, PlannedStep } from '../activities/contract/model.ts';
import type { Proof } from '../activities/contract/messages.ts';
import type { PromoteRequest, PromoteResult } from '../activities/contract/promotion.ts';
import type { Limits, Budget } from '../policies/action.ts';
import type { RunState, StepState } from './state.ts';
import type { RunUsage } from './usage.ts';

export type { RunUsage } from './usage.ts';

/** The workflow itself. `carried` is the state of a fork, a restore or the previous execution. */
export type AgentRun = (input: RunInput, carried?: RunState) => Promise<RunResult>;

/** How an `ask` is answered: by a person, or by the operator's standing order for this run. */
export type ApprovalMode = 'ask' | 'auto' | 'deny';

export interface RunInput {
  readonly run: string;
  /** At most 32 KiB of text. */
  readonly goal: string;
  /** Absolute path on the host that serves the workspace queue. */
  readonly workspace: string;
  readonly queues: { readonly model: string; readonly workspace: string };
  /** Absolute path of the folder the workspace is a copy of; set for a staged run, whose change is promoted there. */
  readonly stagedFrom?: string;
  readonly models: {
    readonly planner: ModelChoice;
    readonly executor: ModelChoice;
    readonly reviewer: ModelChoice;
  };
  /** The operator's own limits in addition to the policy's; the lower number counts. */
  readonly limits: Partial<Limits>;
  readonly approve: ApprovalMode;
  /** The operator's signature on the standing order in `approve`. */
  readonly standing?: NonNullable<Approval['signature']>;
  /** OS user who started the run. */
  readonly by: string;
  /** RFC 3339. */
  readonly started: string;
  /** Events before the run continues as new; default 2,000. */
  readonly historyLimit?: number;
  /** The run this one was forked or restored from; its state is the second argument. */
  readonly from?: RunOrigin;
  /** Waits if another run has the workspace, instead of ending at once. */
  readonly wait?: true;
  /** The operator's signature over all of the above and the carried state: workers carry out nothing else. */
  readonly order?: Order;
}

/** Origin of a forked or restored run. */
export interface RunOrigin {
  readonly kind: 'fork' | 'restore';
  readonly run: string;
  /** Step at whose start the run was forked. */
  readonly step?: string;
  readonly workspace: string;
  /** Snapshot to restore; absent if the run had none yet. */
  readonly tree?: string;
}

/** How a run ends; the same words in JSON, search attributes and the dashboard. */
export type RunStatus =
  | 'done'
  | 'failed'
  | 'needs-approval'
  | 'budget'
  | 'stuck'
  | 'paused'
  | 'denied'
  | 'rejected'
  | 'unavailable'
  | 'cancelled';

/** Exit code of a command that watched the run end (sysexits for 69; 130 as after Ctrl-C). */
export const exitCodes: Readonly<Record<RunStatus, number>> = {
  done: 0,
  failed: 1,
  'needs-approval': 3,
  budget: 4,
  stuck: 5,
  paused: 6,
  denied: 7,
  rejected: 8,
  unavailable: 69,
  cancelled: 130,
};

export interface RunResult {
  readonly status: RunStatus;
  readonly exitCode: number;
  /** At most 2,000 characters; `report` has all of it. */
  readonly summary: string;
  readonly usage: RunUsage;
  readonly changes: readonly string[];
  /** Number of changed files that git ignores; absent if none. */
  readonly ignored?: number;
  /** Uncovered files changed since the run began, at most 20: they cannot be reverted. */
  readonly left?: readonly string[];
  readonly report?: string;
  /** Final results of the run's hooks; absent if there are none. */
  readonly hooks?: readonly HookEnd[];
  /** For a staged run: whether its change was applied. */
  readonly staged?: Staged;
  /** The limit that ended it. */
  readonly limit?: Budget;
  /** Messages that came too late for the run to act on. */
  readonly unheard?: readonly string[];
}

/** A hook's final result. */
export interface HookEnd {
  readonly name: string;
  readonly required: boolean;
  readonly state: 'green' | 'red' | 'not-run';
}

/** The state of a staged run's change at the run's end. */
export interface Staged {
  /** Absolute path of the target folder. */
  readonly target: string;
  /** `waiting`: for `agent promote`. */
  readonly state: 'waiting' | 'promoted';
  /** Why the promotion the policy ordered failed. */
  readonly reason?: string;
}

export const promotionType = 'promotion';

/** A manual promotion is its own workflow, so that a kill midway does not leave half of it. */
export interface PromotionInput {
  readonly queues: RunInput['queues'];
  readonly request: PromoteRequest;
  /** The operator's signature over all of the above. */
  readonly order?: Order;
}
export type { PromoteResult };

/** Workflow id of a run's promotion; no run can have it, because run names contain no dots. */
export const toPromotionId = (run: string): string => `${run}.promotion`;

/** What the run is currently doing. */
export type RunPhase =
  | { phase: 'opening' }
  | { phase: 'waiting-for-workspace'; run: string }
  | { phase: 'planning' }
  | { phase: 'thinking'; step: string }
  | { phase: 'acting'; step: string; tool: string; preview: string }
  | { phase: 'reviewing'; step?: string }
  | { phase: 'merging'; step: string }
  | { phase: 'awaiting-approval'; request: ApprovalRequest }
  | { phase: 'awaiting-input'; request: string; question: string }
  | { phase: 'waiting-for-model'; address: string; reason: string; attempt: number }
  | { phase: 'paused' }
  | { phase: 'closing' }
  | { phase: 'closed'; result: RunResult };

/**
 * What an approval is about: an action the policy asks about; an action a crash interrupted that must not be repeated
 * (approve: it happened, deny: it did not); files a person changed between steps (approve: keep them, deny: revert
 * them); protected files a command changed (approve: apply the change, deny: apply it without them).
 */
export type ApprovalKind = 'unknown' | 'drift' | 'change';

export interface ApprovalRequest {
  /** `a1`, `a2` … within the run. */
  readonly id: string;
  /** Absent for an action. */
  readonly kind?: ApprovalKind;
  readonly step: string;
  readonly tool: string;
  readonly preview: string;
  readonly rule: string;
  readonly reason: string;
  readonly digest: string;
  /** Blob of ApprovalDetails; absent for drift and in older runs. */
  readonly details?: string;
  /** Why the previous answer was invalid. Only a person can answer then. */
  readonly refused?: string;
}

export interface StepView extends PlannedStep {
  readonly state: StepState;
  /** True if the run can be reverted to its start. */
  readonly begun?: boolean;
}

export interface RunView {
  readonly run: string;
  readonly goal: string;
  readonly workspace: string;
  readonly round: number;
  readonly now: RunPhase;
  /** True from the pause signal on, even while a tool call is still running to its end. */
  readonly pausing: boolean;
  readonly steps: readonly StepView[];
  readonly usage: RunUsage;
  readonly limits: Limits;
  readonly thought: string;
  /** All pending requests; several steps may ask at once. */
  readonly waiting?: readonly ApprovalRequest[];
  /** All pending questions of models. */
  readonly questions?: readonly AskedQuestion[];
}

/** A model's question waiting for a person. */
export interface AskedQuestion {
  /** `q1`, `q2` … within the run. */
  readonly id: string;
  readonly step: string;
  readonly question: string;
}

/** A person's answer to one request; it counts only if signed with their key. */
export type ApprovalAnswer = Omit<Approval, 'standing' | 'order'>;

/** The author of standing answers, as recorded and signed. */
export const toStandingBy = ({ by, approve }: Pick<RunInput, 'by' | 'approve'>): string =>
  `${by} (--approve ${approve})`;

/** Signals are accepted even if no worker is up; they take effect once their proof is checked. */
export const pauseRun = defineSignal<[by: string, proof?: Proof]>('pause');
export const resumeRun = defineSignal<[by: string, proof?: Proof]>('resume');
export const cancelRun = defineSignal<[by: string, proof?: Proof]>('cancel');
/** The policy changed: pending approvals are judged again. */
export const policyChanged =
  defineSignal<[sha256: string, by: string, proof?: Proof]>('policyChanged');
/** `to` names the question it answers; empty if its sender saw none. */
export const sayToRun =
  defineSignal<[message: string, by: string, to?: string, proof?: Proof]>('say');

/** An update, so that a stale or wrong answer is refused without leaving an event. */
export const answerApproval = defineUpdate<void, [ApprovalAnswer]>('answerApproval');

/** Where a run goes back to. */
export interface RewindOrder {
  /** Id of the step in the current plan to start over, such as `s2`. */
  readonly step: string;
  readonly by: string;
  readonly proof?: Proof;
}

export interface Rewound {
  /** Steps to be done, or done again. */
  readonly steps: readonly string[];
  /** The steps started at once, including the requested one; absent if it started alone. */
  readonly together?: readonly string[];
}

/**
 * Returns workspace and run to the start of a step or its whole batch; answers when done. If impossible, refused
 * without an event.
 */
export const rewindRun = defineUpdate<Rewound, [RewindOrder]>('rewind');

export const runView = defineQuery<RunView>('view');
