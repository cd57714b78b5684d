/** What workflow code and activities say about guardrail hooks. Types only. */
import type { Call } from './refs.ts';

/** A hook as the run got it at its start. */
export interface HookInForce {
  readonly name: string;
  readonly when: 'after-step' | 'at-end';
  /** Red at the end, it keeps the run from being done. */
  readonly required: boolean;
  /** Its arguments were stored when the run began: whatever the workspace says later, this is what runs. */
  readonly call: Call;
}

/** The hooks of a run: the operator's, then the workspace's. */
export interface HooksInForce {
  /** Of all of them, 64 hex digits. */
  readonly sha256: string;
  readonly hooks: readonly HookInForce[];
}
