/** What a tool gets to work with. */
import type { BlobStore } from '../../audit/record/blobs.ts';
import type { AuditLog } from '../../audit/record/log.ts';
import type { Effect } from '../../policies/action.ts';
import { formRedactor } from '../../policies/secrets/redaction.ts';
import type { Redactor } from '../../policies/secrets/redaction.ts';
import type { Policy } from '../../policies/policy.ts';
import type { Registry } from '../../tools/registry.ts';
import type { CheckVersion } from '../files/files.ts';
import type { HeldLease } from '../files/lease.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { AuthorizedCall } from './call.ts';

export interface ToolContext {
  readonly blobs: BlobStore;
  readonly tools: Registry;
  readonly policy: Policy;
  /** The action's effect, as decided. */
  readonly effect: Effect;
  readonly sandbox: Sandbox;
  readonly spillDir: string;
  readonly redactor: Redactor;
  readonly signal: AbortSignal;
  /** A person approved exactly this action. */
  readonly approved: boolean;
  readonly audit: AuditLog;
  /** Identifies the action in the record. */
  readonly base: { readonly run: string; readonly step: string; readonly digest: string };
  /** Absent outside runs. */
  readonly lease?: HeldLease;
  /** Which watched paths a command finds read-only. Outside runs, all of them. */
  readonly locked?: (path: string) => boolean;
  /** Called before a file is changed; absent outside runs. */
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
