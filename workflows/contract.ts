/** All that others may know of a run: queues, input, result, messages. The edge validates; here are plain types. */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { Approval, Order } from '../activities/contract/approval.ts';
import type { ModelChoice, PlannedStep } from '../activities/contract/model.ts';
import type { Proof } from '../activities/contract/messages.ts';
import type { PromoteRequest, PromoteResult } from '../activities/contract/promotion.ts';
import type { Limits, Budget } from '../policies/action.ts';
import type { RunState, StepState } from './state.ts';
import type { RunUsage } from './usage.ts';

export type { RunUsage } from './usage.ts';

/** The workflow itself. `carried` is the state of a fork or restore, or of the history before this one. */
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
  /** Absolute path of the folder the workspace is a copy of: a staged run, whose change is promoted to there. */
  readonly stagedFrom?: string;
  readonly models: {
    readonly planner: ModelChoice;
    readonly executor: ModelChoice;
    readonly reviewer: ModelChoice;
  };
  /** Only what the operator asked for on top of the policy's limits; the lower number counts. */
  readonly limits: Partial<Limits>;
  readonly approve: ApprovalMode;
  /** Of the standing order in `approve`, by the operator. */
  readonly standing?: NonNullable<Approval['signature']>;
  /** Who started the run, as the operating system names them. */
  readonly by: string;
  /** RFC 3339. */
  readonly started: string;
  /** Events after which the run goes on in a fresh history; 2,000 if absent. */
  readonly historyLimit?: number;
  /** The run this one was forked or restored from; its state comes along as the second argument. */
  readonly from?: RunOrigin;
  /** Waits while another run has the workspace, instead of ending at once. */
  readonly wait?: true;
  /** The operator's, over all of the above and the state it goes on from: workers carry out nothing else. */
  readonly order?: Order;
}

/** Where a forked or restored run comes from. */
export interface RunOrigin {
  readonly kind: 'fork' | 'restore';
  readonly run: string;
  /** Step at whose start the run was forked. */
  readonly step?: string;
  readonly workspace: string;
  /** Snapshot the workspace is brought to; absent when the run had none yet. */
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

/** Exit code of the command that watched the run end (sysexits for 69; 130 as after Ctrl-C). */
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
  /** At most 2,000 characters; the whole is in `report`. */
  readonly summary: string;
  readonly usage: RunUsage;
  readonly changes: readonly string[];
  /** How many files changed that git ignores; absent for none. */
  readonly ignored?: number;
  /** Changed since the run began and in no snapshot, at most 20: it cannot be reverted. */
  readonly left?: readonly string[];
  readonly report?: string;
  /** How the run's hooks came out last; absent when there are none. */
  readonly hooks?: readonly HookEnd[];
  /** Of a staged run: whether its change was applied. */
  readonly staged?: Staged;
  /** The limit that ended it. */
  readonly limit?: Budget;
  /** What people said when the run could no longer act on it. */
  readonly unheard?: readonly string[];
}

/** A hook by the run's end. */
export interface HookEnd {
  readonly name: string;
  readonly required: boolean;
  readonly state: 'green' | 'red' | 'not-run';
}

/** What became of the change of a staged run by the run's end. */
export interface Staged {
  /** Absolute path of the folder it is for. */
  readonly target: string;
  /** `waiting`: for `agent promote`. */
  readonly state: 'waiting' | 'promoted';
  /** Why the policy's order to promote was not carried out. */
  readonly reason?: string;
}

export const promotionType = 'promotion';

/** A promotion by hand is a workflow of its own, so that a kill in its middle does not leave half of it. */
export interface PromotionInput {
  readonly queues: RunInput['queues'];
  readonly request: PromoteRequest;
  /** The operator's, over all of the above. */
  readonly order?: Order;
}
export type { PromoteResult };

/** Id of a run's promotion, in the form of a run's: no run can have it, for runs are named without dots. */
export const toPromotionId = (run: string): string => `${run}.promotion`;

/** What the run is doing right now. */
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
 * What an approval is about: an action the policy asks about; an action that a crash cut short and that may not be repeated
 * (approve: it happened, deny: it did not); files a person changed between steps (approve: go on with them, deny: take them back);
 * protected files that a command has changed (approve: apply the change, deny: apply it without them).
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
  /** ApprovalDetails, as a blob; absent for drift and in older runs. */
  readonly details?: string;
  /** Why the answer given before does not count. Only a person can answer then. */
  readonly refused?: string;
}

export interface StepView extends PlannedStep {
  readonly state: StepState;
  /** True when the run can be reverted to its start. */
  readonly begun?: boolean;
}

export interface RunView {
  readonly run: string;
  readonly goal: string;
  readonly workspace: string;
  readonly round: number;
  readonly now: RunPhase;
  /** True from the pause signal on, even while a tool call still runs to its end. */
  readonly pausing: boolean;
  readonly steps: readonly StepView[];
  readonly usage: RunUsage;
  readonly limits: Limits;
  readonly thought: string;
  /** Every request that waits for an answer; several steps may ask at once. */
  readonly waiting?: readonly ApprovalRequest[];
  /** The same for questions of models. */
  readonly questions?: readonly AskedQuestion[];
}

/** A question of a model that waits for a person's words. */
export interface AskedQuestion {
  /** `q1`, `q2` … within the run. */
  readonly id: string;
  readonly step: string;
  readonly question: string;
}

/** What a person says to one request; signed with a key of theirs, or it does not count where the action is carried out. */
export type ApprovalAnswer = Omit<Approval, 'standing' | 'order'>;

/** Who answers by a standing order, as records say it and its signature is about. */
export const toStandingBy = ({ by, approve }: Pick<RunInput, 'by' | 'approve'>): string =>
  `${by} (--approve ${approve})`;

/** Signals are accepted even when no worker is up; they have their effect when their proof was checked. */
export const pauseRun = defineSignal<[by: string, proof?: Proof]>('pause');
export const resumeRun = defineSignal<[by: string, proof?: Proof]>('resume');
export const cancelRun = defineSignal<[by: string, proof?: Proof]>('cancel');
/** The policy changed: what waits for approval is judged again. */
export const policyChanged =
  defineSignal<[sha256: string, by: string, proof?: Proof]>('policyChanged');
/** `to` names the question it answers, or is empty when its sender saw none. */
export const sayToRun =
  defineSignal<[message: string, by: string, to?: string, proof?: Proof]>('say');

/** An update, so that a stale or wrong answer is refused without leaving an event. */
export const answerApproval = defineUpdate<void, [ApprovalAnswer]>('answerApproval');

/** Where a run goes back to. */
export interface RewindOrder {
  /** Id of the step of the plan in force that is begun anew, such as `s2`. */
  readonly step: string;
  readonly by: string;
  readonly proof?: Proof;
}

export interface Rewound {
  /** Steps that are to be done, or done again. */
  readonly steps: readonly string[];
  /** The steps that had begun at once, the one asked for among them; absent when it had begun alone. */
  readonly together?: readonly string[];
}

/**
 * Takes workspace and run back to the start of a step, or of all the steps that began at once with it; answers when that
 * is done. Refused without an event when it cannot.
 */
export const rewindRun = defineUpdate<Rewound, [RewindOrder]>('rewind');

export const runView = defineQuery<RunView>('view');
