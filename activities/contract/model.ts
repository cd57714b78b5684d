/** What workflows and the model queue exchange. Types only. */
import type { Budget } from '../../policies/action.ts';
import type { Call, Ref } from './refs.ts';

/** Which model plays a role, and where. Without `baseUrl`, the worker's own endpoint. */
export interface ModelChoice {
  readonly model: string;
  readonly baseUrl?: string;
  /** Skips the probe for the Responses API. */
  readonly forceChat?: boolean;
}

/** Tokens counted by the server, or `estimated` from text length. */
export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Input tokens from the server's cache; absent if not reported. */
  readonly cachedTokens?: number;
  readonly estimated?: boolean;
}

/**
 * The result of asking a model. Only `answer` advances the run: `unavailable` makes it wait and ask again, `invalid`
 * and `refused` end it as failed.
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
  /** Why earlier plans were given up, oldest first. */
  readonly notes: readonly Ref[];
  /** What steps of earlier plans achieved, one line each. */
  readonly claims?: readonly string[];
  /** What a person said since the last model call. */
  readonly said: readonly string[];
  /** Why the engine gave up the previous plan. */
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
  /** The step's conversation so far; absent on its first turn. */
  readonly transcript?: Ref;
  /** Results of the last turn's calls, in order. */
  readonly observations: readonly Ref[];
  /** Reviewer's notes for a retry, summaries of finished steps. */
  readonly notes: readonly Ref[];
  readonly said: readonly string[];
  /** What finished steps achieved, one line each; only on the step's first turn. */
  readonly claims?: readonly string[];
  /** A message from the engine to the model, such as a budget warning. */
  readonly nudge?: string;
  /** Limits almost reached, as the nudge says. */
  readonly near?: readonly Budget[];
  /** Tools not offered, because they cannot work in this run. */
  readonly without?: readonly string[];
  /** A budget is used up: only `finish_step` is offered, and a plain answer will do. */
  readonly lastWord?: true;
}

export interface ThinkAnswer {
  readonly transcript: Ref;
  /** What the model said beside its calls, at most 300 characters. */
  readonly thought: string;
  readonly calls: readonly Call[];
  /** Set if the model called `finish_step`: at most 500 characters of its summary. */
  readonly finish?: { readonly summary: string; readonly evidence: string };
  /** Set if the model called `ask_human`. */
  readonly question?: { readonly id: string; readonly text: string };
}

export interface ReviewRequest {
  readonly run: string;
  readonly goal: string;
  readonly model: ModelChoice;
  readonly plan: Ref;
  readonly scope: 'step' | 'run';
  /** Set with scope `step`. */
  readonly step?: string;
  /** Head of the chain of observations: what really happened, written only by the workspace worker. */
  readonly evidence?: Ref;
  /** The gate's findings on the whole work, and its diff. */
  readonly findings?: Ref;
  /** The executor's account, one line per step. */
  readonly claims: readonly string[];
  /** What the person said to the run, oldest first; absent in requests of older runs. */
  readonly said?: readonly Said[];
  /** The gate's objections; the person may have waived them. */
  readonly problems?: readonly string[];
}

/** A person's message to the run. */
export interface Said {
  readonly text: string;
  /** The model's question it answers. */
  readonly asked?: string;
}

export interface ReviewAnswer {
  readonly verdict: 'accept' | 'retry' | 'replan';
  /** What is missing, for the executor or the planner. */
  readonly notes: Ref;
  /** The first 300 characters at most. */
  readonly head: string;
  /** Those of the given problems the person did not waive; absent if none were given. */
  readonly problems?: readonly string[];
}

/** On the model queue: has the key, sees no workspace. */
export interface ModelActivities {
  plan(request: PlanRequest): Promise<ModelOutcome<PlanAnswer>>;
  think(request: ThinkRequest): Promise<ModelOutcome<ThinkAnswer>>;
  review(request: ReviewRequest): Promise<ModelOutcome<ReviewAnswer>>;
}
