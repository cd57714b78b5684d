/** What workflows and activities exchange about guardrail hooks. Types only. */
import type { Call } from './refs.ts';

/** A hook as fixed at the run's start. */
export interface HookInForce {
  readonly name: string;
  readonly when: 'after-step' | 'at-end';
  /** If it fails at the end, the run cannot finish. */
  readonly required: boolean;
  /** Its arguments were stored when the run began: later changes in the workspace do not affect it. */
  readonly call: Call;
}

/** A run's hooks: the operator's, then the workspace's. */
export interface HooksInForce {
  /** Over all of them, 64 hex digits. */
  readonly sha256: string;
  readonly hooks: readonly HookInForce[];
}
