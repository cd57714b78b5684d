/** What a tool has to work with. */
import type { BlobStore } from '../../audit/record/blobs.ts';
import type { AuditLog } from '../../audit/record/log.ts';
import type { Effect } from '../../policies/action.ts';
import { formRedactor } from '../../policies/secrets/redaction.ts';
import type { Redactor } from '../../policies/secrets/redaction.ts';
import type { Policy } from '../../policies/policy.ts';
import type { CheckVersion } from '../files/files.ts';
import type { HeldLease } from '../files/lease.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { AuthorizedCall } from './call.ts';

export interface ToolContext {
  readonly blobs: BlobStore;
  readonly policy: Policy;
  /** Of the action, as it was decided. */
  readonly effect: Effect;
  readonly sandbox: Sandbox;
  readonly spillDir: string;
  readonly redactor: Redactor;
  readonly signal: AbortSignal;
  /** A person approved exactly this action. */
  readonly approved: boolean;
  readonly audit: AuditLog;
  /** What the record says of the action. */
  readonly base: { readonly run: string; readonly step: string; readonly digest: string };
  /** Absent outside of runs. */
  readonly lease?: HeldLease;
  /** Of what may not be changed without a question, what a command finds read-only. Outside of runs, all of it. */
  readonly locked?: (path: string) => boolean;
  /** Asked before a file is changed; absent outside of runs. */
  readonly check?: CheckVersion;
}

export const createToolContext = (
  { dependencies, policy, answers, base, decision }: AuthorizedCall,
  signal: AbortSignal,
): ToolContext => ({
  ...dependencies,
  redactor: dependencies.redactor ?? formRedactor,
  policy,
  effect: decision.effect,
  base,
  signal,
  approved: answers.approval !== undefined,
});
