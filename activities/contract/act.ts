/** One tool call, its result and its observation. Types only. */
import type { Decision, Limits, Verdict } from '../../policies/action.ts';
import type { Suspicion } from '../../policies/untrusted/injection.ts';
import type { Untrusted } from '../../policies/untrusted/untrusted.ts';
import type { Approval, Settlement } from './approval.ts';
import type { Call, Ref, SnapshotId } from './refs.ts';

export interface ActRequest {
  readonly run: string;
  readonly step: string;
  /** Counts the run's actions from 1; with run and call it identifies the action permanently. */
  readonly seq: number;
  readonly workspace: string;
  readonly call: Call;
  readonly approval?: Approval;
  /** A person's answer about a change that is held back. */
  readonly change?: Approval;
  /** File version of the approved result. */
  readonly against?: string;
  /** The previous observation; observations form a chain. */
  readonly previous?: Ref;
  /** Snapshot the workspace should hold; absent in runs older than snapshots. */
  readonly tree?: SnapshotId;
  /** A person's answer about an `unknown` outcome. */
  readonly settled?: Settlement;
  /** Untrusted text in the conversation that counts under the policy. */
  readonly untrusted?: Untrusted;
  /** Name of the hook, for a call no model requested. */
  readonly hook?: string;
  /** Commit checked out when the run began, empty if none; absent in older runs. */
  readonly head?: string;
}

export interface ActResult extends Pick<Decision, 'verdict' | 'rule' | 'reason' | 'effect'> {
  /** sha256 of the deciding policy bundle, 64 hex digits. */
  readonly policy: string;
  /** sha256 of the canonical action, which an approval covers. */
  readonly digest: string;
  /** False if the tool failed or was refused; the run continues either way. */
  readonly ok: boolean;
  /** Absent with verdict `ask` (nothing happened) and with `unknown`. */
  readonly observation?: Ref;
  /** A crash interrupted it and it must not run twice: a person must say whether it happened. */
  readonly unknown?: true;
  /** The call has run and its change is held back; `digest` covers exactly that. */
  readonly change?: true;
  /** With verdict `ask`: ApprovalDetails. */
  readonly details?: Ref;
  /** With verdict `ask`: sha256 of the file when its change was shown. An approval is valid while it matches. */
  readonly against?: string;
  /** Why the answer given is invalid, as a sentence. */
  readonly refused?: string;
  /** What was executed, if a person replaced the model's arguments. */
  readonly preview?: string;
  /** Snapshot afterwards; absent if it only read. */
  readonly tree?: SnapshotId;
  /** Uncovered files changed by an interrupted or stopped attempt and left that way, at most 20. */
  readonly left?: readonly string[];
  /** First 200 characters of the tool's result. */
  readonly head: string;
  /** First 16 hex digits of the sha256 of what the model reads: tells whether the same call gave the same result. */
  readonly output?: string;
  readonly bytes: number;
  readonly exitCode?: number;
  /** What the model is told about a failed hook. */
  readonly notes?: Ref;
  /** Secrets redacted from the result; absent if none. */
  readonly redacted?: number;
  readonly ms: number;
  /** Where the observation's text seems to give orders; absent if nowhere. */
  readonly suspicious?: readonly Suspicion[];
  /** Set if the observation counts as untrusted under the policy. */
  readonly untrusted?: Untrusted;
  /** Limits of the bundle in force. */
  readonly limits: Limits;
}

/** Stored by `act` for each call; the model reads it as the tool's result, the reviewer as evidence. */
export interface Observation {
  readonly v: 1;
  readonly seq: number;
  readonly step: string;
  readonly call: string;
  readonly tool: string;
  readonly preview: string;
  readonly previous?: Ref;
  readonly verdict: Verdict;
  readonly rule: string;
  readonly ok: boolean;
  readonly exitCode?: number;
  readonly ms: number;
  /** What the model sees, cut to head and tail. */
  readonly text: string;
  /** Where `text` seems to give orders; absent if nowhere. */
  readonly suspicious?: readonly Suspicion[];
  /** The whole output if `text` is an excerpt. */
  readonly whole?: Ref;
  /** Name of the hook that caused it. */
  readonly hook?: string;
  /** True for a command that runs tests and reports the result in its exit code. */
  readonly test?: true;
  /** Workspace snapshot afterwards; for a read, the snapshot it saw. */
  readonly tree?: SnapshotId;
  /** Workspace-relative paths a file tool wrote or deleted. */
  readonly changed: readonly string[];
  /** What a file tool changed, for people; its first lines if it is long. */
  readonly diff?: string;
  /** The file whose content the model now knows: sha256, `null` if none. */
  readonly seen?: { readonly path: string; readonly sha256: string | null };
  /** RFC 3339 time when the action ended. */
  readonly time: string;
}
