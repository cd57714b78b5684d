/** One tool call: as ordered, as authorized, and its result. */
import type { Approvers } from '../../audit/record/keys/approvers.ts';
import type { BlobStore } from '../../audit/record/blobs.ts';
import type { AuditLog } from '../../audit/record/log.ts';
import type { Action, Decision } from '../../policies/action.ts';
import type { Redactor } from '../../policies/secrets/redaction.ts';
import type { Policy } from '../../policies/policy.ts';
import type { Untrusted } from '../../policies/untrusted/untrusted.ts';
import type { Registry } from '../../tools/registry.ts';
import type { ActResult } from '../contract/act.ts';
import type { Approval, Settlement } from '../contract/approval.ts';
import type { Ref, SnapshotId } from '../contract/refs.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { VerifiedAnswers } from './answers.ts';
import type { CallIdentity } from './call-notes.ts';
import type { Recalled, Transactions } from './transactions.ts';

export interface ActDependencies {
  readonly blobs: BlobStore;
  readonly tools: Registry;
  readonly audit: AuditLog;
  /** The bundle in force for a workspace, read for each action. */
  readonly policy: (workspace: string) => Promise<{
    readonly policy: Policy;
    readonly sha256: string;
    /** Why nothing may be done in this workspace. */
    readonly problem?: string;
  }>;
  readonly sandbox: Sandbox;
  readonly transactions: Transactions;
  /** Whose answers are valid. */
  readonly approvers: Approvers;
  /** Redacts arguments and results; by form only if absent. */
  readonly redactor?: Redactor;
  /** For growing outputs. */
  readonly spillDir: string;
}

/** One action and its place in the run. */
export interface ActOrder {
  readonly run: string;
  readonly step: string;
  /** Absent outside runs: nothing then records the action or rolls it back. */
  readonly seq?: number;
  readonly call: string;
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly workspace: string;
  readonly approval?: Approval;
  readonly change?: Approval;
  readonly against?: string;
  readonly settled?: Settlement;
  readonly untrusted?: Untrusted;
  /** Name of the hook, for a call no model requested. */
  readonly hook?: string;
  readonly previous?: Ref;
  readonly tree?: SnapshotId;
  /** See ActRequest. */
  readonly head?: string;
  /** From 1; greater when Temporal retries the action. */
  readonly attempt?: number;
  readonly signal: AbortSignal;
}

/** A decided action, with everything execution and recording need. */
export interface AuthorizedCall {
  readonly dependencies: ActDependencies;
  readonly order: ActOrder;
  readonly action: Action;
  readonly policy: Policy;
  readonly base: AuditBase;
  readonly answers: VerifiedAnswers;
  readonly decision: Decision;
  /** Absent outside runs. */
  readonly identity?: CallIdentity;
  /** What the store knows of an earlier attempt. */
  readonly recalled?: Recalled<ActResult>;
  /** An earlier attempt is completed instead of repeated: what allowed it then still applies. */
  readonly resumes: boolean;
}

/** Common to all audit lines about the action. */
export interface AuditBase {
  readonly run: string;
  readonly step: string;
  readonly action?: number;
  readonly tool: string;
  readonly digest: string;
  readonly policy: string;
  readonly preview: string;
  readonly hook?: string;
  readonly approver?: string;
}

export type Acted = ActResult & { readonly text: string };

/** True if a person's arguments name another file: what the run knows of the first does not apply to it. */
export const isRedirected = ({
  order,
  action,
}: Pick<AuthorizedCall, 'order' | 'action'>): boolean => action.args['path'] !== order.args['path'];

export const toAuditLine = (
  call: AuthorizedCall,
  { verdict, rule, effect }: Pick<Decision, 'verdict' | 'rule' | 'effect'> = call.decision,
) => ({ time: new Date().toISOString(), ...call.base, verdict, rule, effect });
