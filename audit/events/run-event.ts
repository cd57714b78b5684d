import type { Budget, Verdict } from '../../policies/action.ts';
import type { Suspicion } from '../../policies/untrusted/injection.ts';
import type { HookEnd, RunInput, RunStatus, RunUsage, Staged } from '../../workflows/contract.ts';
import type { ApprovalDetails } from '../../activities/contract/approval.ts';
import type { PlannedStep } from '../../activities/contract/model.ts';

interface Common<T extends string> {
  readonly v: 1;
  /** From 1, gapless per run: a reader goes on from any number. */
  readonly seq: number;
  readonly run: string;
  readonly type: T;
  /** RFC 3339. */
  readonly time: string;
}

/** `call` numbers the actions of a run from 1. */
interface OfCall {
  readonly step: string;
  readonly call: number;
  readonly tool: string;
  /** Name of the hook, for a call that no model asked for. */
  readonly hook?: string;
}

/** What happened in a run, for people and programs. New types may be added; those here stay. */
export type RunEvent =
  | (Common<'run.started'> &
      Pick<RunInput, 'goal' | 'workspace' | 'stagedFrom' | 'by' | 'approve' | 'limits'> & {
        readonly model: string;
      })
  /** Commands are not offered, or run unconfined: the machine has no sandbox, or the operator wants none. */
  | (Common<'run.restricted'> & { readonly reason: string })
  /** Settings of the workspace's git that start programs or lead elsewhere; the agent's commands do without them. */
  | (Common<'git.settings'> & { readonly settings: readonly string[] })
  /** Paths that snapshots leave out, at most 20: what becomes of them cannot be reverted. */
  | (Common<'workspace.uncovered'> & { readonly paths: readonly string[] })
  | (Common<'plan.updated'> & {
      readonly round: number;
      readonly approach: string;
      readonly steps: readonly PlannedStep[];
      readonly plan: string;
    })
  | (Common<'step.started'> & {
      readonly step: string;
      readonly title: string;
      readonly attempt: number;
      /** Runs beside others, in a copy: it is done when it is merged, not when it is accepted. */
      readonly lane?: true;
    })
  | (Common<'thought'> & {
      readonly step: string;
      readonly text: string;
      readonly transcript: string;
    })
  | (Common<'tool.requested'> & OfCall & { readonly preview: string })
  | (Common<'decision'> &
      OfCall & {
        readonly verdict: Verdict;
        readonly rule: string;
        readonly reason: string;
        readonly policy: string;
      })
  | (Common<'approval.requested'> &
      OfCall & {
        readonly request: string;
        /** Absent for an action the policy asks about. */
        readonly kind?: 'unknown' | 'drift' | 'change';
        readonly preview: string;
        readonly rule: string;
        readonly reason: string;
        readonly digest: string;
        /** ApprovalDetails, as a blob. */
        readonly details?: string;
        /** What is in that blob, filled in where it can be read. */
        readonly action?: ApprovalDetails;
        /** Why the answer given before does not count. */
        readonly refused?: string;
      })
  | (Common<'approval.answered'> & {
      readonly request: string;
      readonly answer: 'approve' | 'deny';
      readonly by: string;
      readonly reason?: string;
      /** Arguments a person wrote in place of the model's, as a blob. */
      readonly edited?: string;
      /** What is in that blob, filled in where it can be read. */
      readonly args?: Readonly<Record<string, unknown>>;
    })
  | (Common<'input.requested'> & {
      readonly step: string;
      readonly request: string;
      readonly question: string;
    })
  | (Common<'said'> & {
      readonly text: string;
      readonly by: string;
      /** The question it answers. */
      readonly to?: string;
    })
  | (Common<'tool.started'> & OfCall)
  | (Common<'tool.output'> &
      OfCall & { readonly text: string; readonly bytes: number; readonly observation: string })
  | (Common<'tool.finished'> &
      OfCall & {
        readonly preview: string;
        readonly ok: boolean;
        readonly exitCode?: number;
        readonly ms: number;
        /** In no snapshot and changed by an attempt that was cut short or stopped, at most 20: as that attempt left them. */
        readonly left?: readonly string[];
        /** Where what it returned tries to give orders to its reader. */
        readonly suspicious?: readonly Suspicion[];
      })
  | (Common<'review'> & {
      readonly step?: string;
      readonly verdict: 'accept' | 'retry' | 'replan';
      readonly notes: string;
    })
  /** `near`: limits that come to their end, of which the model is told once. */
  | (Common<'budget'> & { readonly usage: RunUsage; readonly near?: readonly Budget[] })
  /** Models that cost what nobody can count: the limit in US dollars does not hold for them. */
  | (Common<'budget.unpriced'> & { readonly models: readonly string[]; readonly limit: number })
  /** What the engine tells the model: a budget that comes to its end, a call that is made again and again. */
  | (Common<'nudge'> & { readonly step: string; readonly text: string })
  | (Common<'model.waiting'> & { readonly address: string; readonly reason: string })
  /** What a step did in its copy came into the workspace, or did not because of `conflicts`: paths, at most 20. */
  | (Common<'step.merged'> & { readonly step: string; readonly conflicts?: readonly string[] })
  /** Somebody changed files between two steps; `ask`: nothing is done about it yet. */
  | (Common<'workspace.drift'> & {
      readonly paths: readonly string[];
      readonly done: 'adopt' | 'restore' | 'ask';
    })
  /** Reverted to the start of a step, or of those that began at once with it; they and what began after is done again. */
  | (Common<'run.rewound'> & {
      readonly step: string;
      readonly by: string;
      readonly together?: readonly string[];
    })
  /** Every later decision goes by it; what waits for approval is judged again. */
  | (Common<'policy.changed'> & { readonly policy: string; readonly by: string })
  | (Common<'run.paused'> & { readonly by: string })
  | (Common<'run.resumed'> & { readonly by: string })
  | (Common<'run.finished'> & {
      readonly status: RunStatus;
      readonly exitCode: number;
      readonly summary: string;
      readonly usage: RunUsage;
      readonly changes: readonly string[];
      /** How many files changed that git ignores; absent for none. */
      readonly ignored?: number;
      /** Changed since the run began and in no snapshot, at most 20: `undo` cannot take that back. */
      readonly left?: readonly string[];
      readonly report?: string;
      /** The limit that ended it. */
      readonly limit?: Budget;
      /** What people said when the run could no longer act on it. */
      readonly unheard?: readonly string[];
      /** A command that goes on from here, where one makes sense. */
      readonly resume?: string;
      /** How the hooks came out last; absent where there are none. */
      readonly hooks?: readonly HookEnd[];
      /** Of a staged run: what became of its change, and the command that brings it over. */
      readonly staged?: Staged & { readonly promote?: string };
    });

type Body<E> = E extends unknown ? Omit<E, 'v' | 'seq' | 'run' | 'time'> : never;

/** An event before it is numbered. */
export type RunEventBody = Body<RunEvent>;
