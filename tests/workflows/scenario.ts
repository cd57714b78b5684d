import assert from 'node:assert/strict';
import type { RunInput, RunResult } from '../../workflows/contract.ts';
import type { PureScript } from '../model-server/scripts.ts';
import type { RunHandle, TestAgent } from '../setup/agent.ts';

/** A run, what people do to it, and what must have come of it. */
export interface Scenario {
  /** Kebab-case; the file name of its history. */
  readonly name: string;
  readonly script: PureScript;
  readonly input?: Partial<RunInput>;
  /** It works on a copy of the workspace. */
  readonly staged?: true;
  readonly files?: Readonly<Record<string, string>>;
  /** Replaced text of the shipped policies/tools.yaml: [from, to]. */
  readonly tools?: readonly [from: string, to: string];
  /** What people do while it runs. */
  readonly drive?: (agent: TestAgent, handle: RunHandle) => Promise<unknown>;
  readonly check: (result: RunResult, agent: TestAgent, handle: RunHandle) => Promise<void> | void;
}

export const done = (result: RunResult): void =>
  assert.equal(result.status, 'done', result.summary);
