import type { Budget, Verdict } from '../../policies/action.ts';
import type { Suspicion } from '../../policies/untrusted/injection.ts';
import type { RunInput, RunResult, RunUsage, Staged } from '../../workflows/contract.ts';
import type { ApprovalDetails } from '../../activities/contract/approval.ts';
import type { PlannedStep } from '../../activities/contract/model.ts';

interface Common<T extends string> {
  readonly v: 1;
  /** From 1, gapless per run: a reader can continue from any number. */
  readonly seq: number;
  readonly run: string;
  readonly type: T;
  /** RFC 3339. */
  readonly time: string;
}

/** `call` numbers the run's actions from 1. */
interface OfCall {
  readonly step: string;
  readonly call: number;
  readonly tool: string;
  /** Name of the hook, for a call no model requested. */
  readonly hook?: string;
}

export type EnginePhase =
  | 'opening'
  | 'waiting-for-workspace'
  | 'planning'
  | 'snapshot'
  | 'thinking'
  | 'reviewing'
  | 'merging'
  | 'closing';

/** What happened in a run, for people and programs. New types may be added; these stay. */
export type RunEvent =
  | (Common<'run.started'> &
      Pick<RunInput, 'goal' | 'workspace' | 'stagedFrom' | 'by' | 'approve' | 'limits'> & {
        readonly model: string;
      })
  /** Commands are unavailable or unconfined, because the machine has no sandbox or the operator wants none. */
  | (Common<'run.restricted'> & { readonly reason: string })
  /** Settings of the workspace's git that start programs or lead elsewhere; the agent's commands run without them. */
  | (Common<'git.settings'> & { readonly settings: readonly string[] })
  /** Paths that snapshots leave out, at most 20: changes to them cannot be reverted. */
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
      /** Runs in parallel, in a copy: done when merged, not when accepted. */
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
        /** Blob of ApprovalDetails. */
        readonly details?: string;
        /** That blob's content, filled in if readable. */
        readonly action?: ApprovalDetails;
        /** Why the previous answer was invalid. */
        readonly refused?: string;
      })
  | (Common<'approval.answered'> & {
      readonly request: string;
      readonly answer: 'approve' | 'deny';
      readonly by: string;
      readonly reason?: string;
      /** Blob of the arguments a person wrote in place of the model's. */
      readonly edited?: string;
      /** That blob's content, filled in if readable. */
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
      OfCall & {
        /** Its first 200 characters. */
        readonly text: string;
        readonly bytes: number;
        /** The Observation, as a blob. */
        readonly observation: string;
        /** From that blob, filled in for people if it can be read. */
        readonly output?: string;
        readonly diff?: string;
      })
  | (Common<'tool.finished'> &
      OfCall & {
        readonly preview: string;
        readonly ok: boolean;
        readonly exitCode?: number;
        readonly ms: number;
        /** Uncovered files changed by an interrupted or stopped attempt and left that way, at most 20. */
        readonly left?: readonly string[];
        /** Where its result seems to give orders to the reader. */
        readonly suspicious?: readonly Suspicion[];
      })
  | (Common<'review'> & {
      readonly step?: string;
      readonly verdict: 'accept' | 'retry' | 'replan';
      readonly notes: string;
    })
  /** `near`: limits almost reached, of which the model is told once. */
  | (Common<'budget'> & { readonly usage: RunUsage; readonly near?: readonly Budget[] })
  /** Models without a price: the limit in US dollars does not cover them. */
  | (Common<'budget.unpriced'> & { readonly models: readonly string[]; readonly limit: number })
  /** The engine's message to the model: a budget almost used up, a repeated call. */
  | (Common<'nudge'> & { readonly step: string; readonly text: string })
  /** What the engine is doing, where no other event says it. */
  | (Common<'phase'> & {
      readonly phase: EnginePhase;
      readonly step?: string;
      /** The run that holds the folder. */
      readonly holder?: string;
    })
  | (Common<'model.waiting'> & { readonly address: string; readonly reason: string })
  /** A parallel step's change was merged into the workspace, or not because of `conflicts`: paths, at most 20. */
  | (Common<'step.merged'> & { readonly step: string; readonly conflicts?: readonly string[] })
  /** Someone changed files between two steps; `ask`: nothing has been done about it yet. */
  | (Common<'workspace.drift'> & {
      readonly paths: readonly string[];
      readonly done: 'adopt' | 'restore' | 'ask';
    })
  /** Reverted to the start of a step, or of a batch; it and everything begun later is done again. */
  | (Common<'run.rewound'> & {
      readonly step: string;
      readonly by: string;
      readonly together?: readonly string[];
    })
  /** Applies to every later decision; pending approvals are judged again. */
  | (Common<'policy.changed'> & { readonly policy: string; readonly by: string })
  | (Common<'run.paused'> & { readonly by: string })
  | (Common<'run.resumed'> & { readonly by: string })
  | (Common<'run.finished'> &
      Omit<RunResult, 'staged'> & {
        /** A command that continues from here, if that makes sense. */
        readonly resume?: string;
        /** For a staged run: the state of its change, and the command that applies it. */
        readonly staged?: Staged & { readonly promote?: string };
      });

type Body<E> = E extends unknown ? Omit<E, 'v' | 'seq' | 'run' | 'time'> : never;

/** An event without its number. */
export type RunEventBody = Body<RunEvent>;
