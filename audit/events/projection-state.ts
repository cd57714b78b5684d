/** The state of the fold over a run's history. */
import type { Prices } from '../../policies/action.ts';
import type { RunInput } from '../../workflows/contract.ts';
import type { Counts } from '../../workflows/usage.ts';

export interface ProjectionState {
  seq: number;
  /** Of the first execution. */
  input: RunInput | undefined;
  finished: boolean;
  paused: boolean;
  round: number;
  asks: number;
  /** Actions requested but not finished. */
  requested: Set<number>;
  /** Answered requests. */
  answered: Set<string>;
  questions: number;
  /** Open questions, with the steps that ask. */
  asking: Map<string, string>;
  /** Messages not yet checked, by their numbers. */
  unchecked: Map<string, { readonly text: string; readonly to: unknown }>;
  titles: Map<string, string>;
  attempts: Map<string, number>;
  /** Steps begun and not reviewed; a thought about any other begins one. */
  open: Set<string>;
  /** Steps with an unmerged copy, and those that started at once with each. */
  worktrees: Set<string>;
  batches: Map<string, readonly string[]>;
  /** The phase told last, of each step; empty for the run as a whole. */
  phases: Map<string, string>;
  usage: Counts;
  prices: Prices | undefined;
}

export const createState = (): ProjectionState => ({
  seq: 0,
  input: undefined,
  finished: false,
  paused: false,
  round: 0,
  asks: 0,
  requested: new Set(),
  answered: new Set(),
  questions: 0,
  asking: new Map(),
  unchecked: new Map(),
  titles: new Map(),
  attempts: new Map(),
  open: new Set(),
  worktrees: new Set(),
  batches: new Map(),
  phases: new Map(),
  usage: { steps: 0, toolCalls: 0, inputTokens: 0, outputTokens: 0, workMs: 0 },
  prices: undefined,
});
