/** A run's persistent state as plain data, shared by workflow code and readers of its history. Pure. */
import type { ActResult } from '../activities/contract/act.ts';
import type { MergeResult } from '../activities/contract/workspace.ts';
import type { PlannedStep } from '../activities/contract/model.ts';
import type { Ref, SnapshotId } from '../activities/contract/refs.ts';
import type { HooksInForce } from '../activities/contract/hooks.ts';
import type { Limits, Prices } from '../policies/action.ts';
import type { Untrusted } from '../policies/untrusted/untrusted.ts';
import type { PastAction } from './loops.ts';
import type { Counts } from './usage.ts';

/** `merging`: accepted, but not in the workspace yet; parallel steps only. */
export type StepState = 'waiting' | 'running' | 'reviewing' | 'merging' | 'done';

/** A step of the current plan. Each has its own conversation, so several can run at once. */
export interface StepRecord extends PlannedStep {
  state: StepState;
  /** Attempts: 1, plus one for each retry the reviewer asked for. */
  attempts: number;
  turns: number;
  transcript?: Ref;
  /** Results the model has not seen yet. */
  observations: Ref[];
  /** The reviewer's notes the model has not seen yet. */
  notes: Ref[];
  /** Untrusted text in its conversation since a person last approved. */
  untrusted?: Untrusted;
  /** What the executor says it achieved; set when it called `finish_step`. */
  claim?: string;
  /** The copy a parallel step works in; unique among the run's steps and attempts. */
  lane?: string;
  /** The last message of a person that its conversation has read. */
  heard?: number;
  /** How often a person's message made the finished step continue. */
  reopened?: number;
  /** How often a failed hook returned it to the model. */
  sentBack?: number;
  /** The run's position when the step first began, for a rewind. Parallel steps share it. */
  before?: { order: number; tree: SnapshotId; evidence?: Ref };
}

/** A message of a person. */
export interface Word {
  /** From 1 within the run, in order of arrival. */
  readonly n: number;
  readonly text: string;
  /** The question it answers, and the step that asked it. */
  readonly answers?: { readonly request: string; readonly step: string; readonly question: string };
  /** True once a planner or executor has read it. */
  read?: true;
}

/** An unanswered question of a model. */
export interface OpenQuestion {
  /** `q1`, `q2` … within the run. */
  readonly id: string;
  readonly step: string;
  readonly text: string;
  /** Messages received before it was asked, none of which is its answer. */
  readonly after: number;
}

/** A hook's result, and the snapshot it left. */
interface HookResult {
  ok: boolean;
  tree?: SnapshotId;
}

/** What a step knows of its folder and of its last actions there. Each copy of the workspace has its own. */
export interface WorktreeState {
  /** What it holds, as far as the run knows. */
  tree?: SnapshotId;
  /** Last observation: head of the chain of evidence. */
  evidence?: Ref;
  /** Denied calls in a row. */
  denials: number;
  /** The last outcome and how often in a row it occurred. */
  repeat: { key: string; count: number };
  /** The last actions, for loop detection. */
  recent?: PastAction[];
  nudge?: string;
}

/** A run's whole persistent state, small and plain: it is carried over on continue-as-new. */
export interface RunState extends WorktreeState {
  round: number;
  facts?: Ref;
  /** Tools that cannot work on the workspace's machine. */
  without?: string[];
  /** The start of every conversation, if it counts as untrusted. */
  untrusted?: Untrusted;
  plan?: Ref;
  steps: StepRecord[];
  /** Why earlier plans were given up. */
  planNotes: Ref[];
  /** What steps of those plans achieved, one line each. */
  achieved: string[];
  policyLimits?: Limits;
  usage: Counts;
  /** Snapshot from before the run; absent in runs that keep none. */
  base?: SnapshotId;
  /** Commit checked out when the run began; empty if none. */
  head?: string;
  /** True once a forked or restored run has its workspace. */
  arrived?: true;
  /** Independent steps that may run at once; 1 if absent. */
  parallel?: number;
  /** Hooks that must pass, fixed at the run's start. */
  hooks?: HooksInForce;
  /** By position in that list: each hook's last result, and on which snapshot. */
  hookResults?: Record<string, HookResult>;
  /** Why the last plan was given up, for the person reading the run's result. */
  refusal?: string;
  /** Steps begun so far; orders them. */
  begun?: number;
  /** Set from the rewind order until it is done. */
  rewind?: { readonly step: string; readonly by: string };
  /** Actions so far; numbers them. */
  actions: number;
  /** Approval requests and questions so far; number them. */
  asks: number;
  questions: number;
  /** Messages of people; see words.ts. */
  words?: Word[];
  /** Unanswered questions of models. */
  open?: OpenQuestion[];
  /** Messages since the last model call, for runs begun before `words`. */
  said: string[];
  thought: string;
  pausedBy?: string;
  cancelledBy?: string;
  /** Why the engine gave up the last plan, for the planner. */
  remarks?: string[];
  /** Limits almost reached that the model was told of. */
  warnings?: string[];
  prices?: Prices;
  /** Numbers of accepted messages; none is accepted again. */
  counted?: { nonce: string; sent: number }[];
  /** Messages sent up to then are known, or never accepted. */
  countedUpTo?: number;
  /** Number of invalid messages. */
  uncounted?: number;
}

export const createState = (): RunState => ({
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

/** A planned step before it begins, as stored in the run's state. */
export const toFreshStep = ({ id, title, dependsOn }: PlannedStep): StepRecord => ({
  id,
  title,
  dependsOn,
  state: 'waiting',
  attempts: 0,
  turns: 0,
  observations: [],
  notes: [],
});

/** Records an action's effect on its folder. */
export function noteResult(
  at: WorktreeState,
  { tree, observation }: Pick<ActResult, 'tree' | 'observation'>,
): void {
  if (tree !== undefined) at.tree = tree;
  if (observation !== undefined) at.evidence = observation;
}

/** Records that a step's copy was merged into the workspace. */
export function noteMerged(
  state: RunState,
  step: StepRecord,
  { tree, evidence }: Extract<MergeResult, { ok: true }>,
): void {
  state.tree = tree;
  if (evidence !== undefined) state.evidence = evidence;
  step.state = 'done';
}

/** Unfinished steps, in plan order, whose dependencies are done. */
export function readySteps({ steps }: RunState): StepRecord[] {
  const done = new Set(steps.filter((step) => step.state === 'done').map((step) => step.id));
  return steps.filter((step) => !done.has(step.id) && step.dependsOn.every((id) => done.has(id)));
}

/** What finished steps achieved, one line each, short enough to travel in history. */
export function claimsOf({ steps }: RunState, length: number): string[] {
  return steps
    .filter((step) => step.state === 'done')
    .map((step) => `${step.title}: ${(step.claim ?? '').slice(0, length)}`);
}
