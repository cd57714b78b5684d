/** What workflow code says to the model queue, and what comes back. Types only. */
import type { Budget } from '../../policies/action.ts';
import type { Call, Ref } from './refs.ts';

/** Which model answers for a role, and where. Without `baseUrl` the worker's own endpoint is used. */
export interface ModelChoice {
  readonly model: string;
  readonly baseUrl?: string;
  /** Skips the probe for the Responses API. */
  readonly forceChat?: boolean;
}

/** Tokens as the server counted them; `estimated` marks counts derived from text length. */
export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Those of the input that the server had in its cache; absent when it does not say. */
  readonly cachedTokens?: number;
  readonly estimated?: boolean;
}

/**
 * What came of asking a model. Only `answer` carries the run forward:
 * `unavailable` makes the run wait and ask again, `invalid` and `refused` end it as failed.
 */
export type ModelOutcome<T> =
  | {
      kind: 'answer';
      answer: T;
      usage: Usage;
      model: string;
      protocol: 'responses' | 'chat';
      ms: number;
    }
  | { kind: 'unavailable'; address: string; reason: string; retryAfterMs?: number }
  | { kind: 'invalid'; reason: string; usage: Usage; model?: string; ms: number }
  | { kind: 'refused'; address: string; reason: string };

export interface PlannedStep {
  /** `s1`, `s2` …: unique within the plan. */
  readonly id: string;
  /** At most 80 characters. */
  readonly title: string;
  readonly dependsOn: readonly string[];
}

export interface PlanRequest {
  readonly run: string;
  readonly goal: string;
  readonly model: ModelChoice;
  /** Result of `openWorkspace`. */
  readonly facts: Ref;
  /** Why the last plan was given up, oldest first. */
  readonly notes: readonly Ref[];
  /** What steps of the plans given up achieved, one line each. */
  readonly claims?: readonly string[];
  /** What a person said since the last model call. */
  readonly said: readonly string[];
  /** Why the engine gave up the plan before. */
  readonly remarks?: readonly string[];
}

export interface PlanAnswer {
  /** The whole plan: steps with details and acceptance criteria. */
  readonly plan: Ref;
  /** One sentence on the approach, at most 300 characters. */
  readonly approach: string;
  readonly steps: readonly PlannedStep[];
}

export interface ThinkRequest {
  readonly run: string;
  readonly goal: string;
  readonly model: ModelChoice;
  readonly facts: Ref;
  readonly plan: Ref;
  readonly step: string;
  /** The step's conversation so far; absent at its first turn. */
  readonly transcript?: Ref;
  /** Results of the calls of the last turn, in their order. */
  readonly observations: readonly Ref[];
  /** Reviewer's notes for a retry, summaries of finished steps. */
  readonly notes: readonly Ref[];
  readonly said: readonly string[];
  /** What finished steps achieved, one line each; sent at the step's first turn only. */
  readonly claims?: readonly string[];
  /** A sentence of the engine to the model, such as a budget warning. */
  readonly nudge?: string;
  /** Limits that come to their end; the nudge says so. */
  readonly near?: readonly Budget[];
  /** Tools that cannot work in this run; they are not offered. */
  readonly without?: readonly string[];
  /** A budget is used up: only `finish_step` is offered, and an answer without it will do. */
  readonly lastWord?: true;
}

export interface ThinkAnswer {
  readonly transcript: Ref;
  /** What the model said beside its calls, at most 300 characters. */
  readonly thought: string;
  readonly calls: readonly Call[];
  /** Set when the model called `finish_step`: at most 500 characters of its summary. */
  readonly finish?: { readonly summary: string; readonly evidence: string };
  /** Set when the model called `ask_human`. */
  readonly question?: { readonly id: string; readonly text: string };
}

export interface ReviewRequest {
  readonly run: string;
  readonly goal: string;
  readonly model: ModelChoice;
  readonly plan: Ref;
  readonly scope: 'step' | 'run';
  /** With scope `step`. */
  readonly step?: string;
  /** Head of the chain of observations: what really happened, written by the workspace worker only. */
  readonly evidence?: Ref;
  /** What code found in the whole work, and its diff. */
  readonly findings?: Ref;
  /** What the executor says it did, one line per step. */
  readonly claims: readonly string[];
  /** What the person said to the run, oldest first; absent in requests of older runs. */
  readonly said?: readonly Said[];
  /** What code holds against the work; the person may have waived it. */
  readonly problems?: readonly string[];
}

/** A message of a person to the run. */
export interface Said {
  readonly text: string;
  /** The question of a model that it answers. */
  readonly asked?: string;
}

export interface ReviewAnswer {
  readonly verdict: 'accept' | 'retry' | 'replan';
  /** What is missing, for the executor or the planner. */
  readonly notes: Ref;
  /** At most 300 characters of it. */
  readonly head: string;
  /** Those of the problems given that the person did not waive; absent when none was given. */
  readonly problems?: readonly string[];
}

/** Run on the model queue: needs the key, sees no workspace. */
export interface ModelActivities {
  plan(request: PlanRequest): Promise<ModelOutcome<PlanAnswer>>;
  think(request: ThinkRequest): Promise<ModelOutcome<ThinkAnswer>>;
  review(request: ReviewRequest): Promise<ModelOutcome<ReviewAnswer>>;
}
