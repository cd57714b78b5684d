/** What a run must remember, as plain data: the same in workflow code and in what reads a run's history. Pure. */
import type { ActResult } from '../activities/contract/act.ts';
import type { MergeResult } from '../activities/contract/workspace.ts';
import type { PlannedStep } from '../activities/contract/model.ts';
import type { Ref, SnapshotId } from '../activities/contract/refs.ts';
import type { HooksInForce } from '../activities/contract/hooks.ts';
import type { Limits, Prices } from '../policies/action.ts';
import type { Untrusted } from '../policies/untrusted/untrusted.ts';
import type { PastAction } from './loops.ts';
import type { Counts } from './usage.ts';

/** `merging`: accepted, and not yet in the workspace; for steps that run beside others only. */
export type StepState = 'waiting' | 'running' | 'reviewing' | 'merging' | 'done';

/** A step of the plan in force. Each has a conversation of its own, so several could run at once. */
export interface StepRecord extends PlannedStep {
  state: StepState;
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

/** A message of a person. */
export interface Word {
  /** From 1 within the run, in the order they came. */
  readonly n: number;
  readonly text: string;
  /** The question it answers, and the step that asked it. */
  readonly answers?: { readonly request: string; readonly step: string; readonly question: string };
  /** True once a planner or an executor has read it. */
  read?: true;
}

/** A question of a model that nobody has answered yet. */
export interface OpenQuestion {
  /** `q1`, `q2` … within the run. */
  readonly id: string;
  readonly step: string;
  readonly text: string;
  /** Messages that had come before it was asked: none of them is its answer. */
  readonly after: number;
}

/** How a hook came out, and the snapshot of what it left. */
interface HookResult {
  ok: boolean;
  tree?: SnapshotId;
}

/** What a step knows of the folder it works in, and of its last actions there. Each copy of the workspace has its own. */
export interface WorktreeState {
  /** What it holds as far as the run knows. */
  tree?: SnapshotId;
  /** Last observation: head of the chain of evidence. */
  evidence?: Ref;
  /** Denied calls in a row. */
  denials: number;
  /** The last outcome and how often in a row it came. */
  repeat: { key: string; count: number };
  /** The last actions, for loop detection. */
  recent?: PastAction[];
  nudge?: string;
}

/** All that a run must remember, small and plain: it is carried over when the run goes on in a fresh history. */
export interface RunState extends WorktreeState {
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
  usage: Counts;
  /** Snapshot from before the run; absent in runs that keep none. */
  base?: SnapshotId;
  /** Commit the workspace was at when the run began; empty for none. */
  head?: string;
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
  rewind?: { readonly step: string; readonly by: string };
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
  /** Why the engine gave up the last plan, for the planner. */
  remarks?: string[];
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

/** A planned step of which nothing is done yet, as the run's state keeps it. */
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

/** What an action leaves behind in the folder it was done in. */
export function noteResult(
  at: WorktreeState,
  { tree, observation }: Pick<ActResult, 'tree' | 'observation'>,
): void {
  if (tree !== undefined) at.tree = tree;
  if (observation !== undefined) at.evidence = observation;
}

/** A step's copy is merged into the workspace. */
export function noteMerged(
  state: RunState,
  step: StepRecord,
  { tree, evidence }: Extract<MergeResult, { ok: true }>,
): void {
  state.tree = tree;
  if (evidence !== undefined) state.evidence = evidence;
  step.state = 'done';
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
