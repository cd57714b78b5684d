/** One tool call, its result, and the observation that is kept of it. Types only. */
import type { Decision, Limits, Verdict } from '../../policies/action.ts';
import type { Suspicion } from '../../policies/untrusted/injection.ts';
import type { Untrusted } from '../../policies/untrusted/untrusted.ts';
import type { Approval, Settlement } from './approval.ts';
import type { Call, Ref, SnapshotId } from './refs.ts';

export interface ActRequest {
  readonly run: string;
  readonly step: string;
  /** Counts the run's actions from 1; with run and call it names the action for ever. */
  readonly seq: number;
  readonly workspace: string;
  readonly call: Call;
  readonly approval?: Approval;
  /** A person's answer to what the call has changed and is held back. */
  readonly change?: Approval;
  /** Of the result that was approved. */
  readonly against?: string;
  /** Observation before this one, so that observations form a chain. */
  readonly previous?: Ref;
  /** Snapshot the workspace should hold; absent in runs from before there were any. */
  readonly tree?: SnapshotId;
  /** A person's word on an outcome that was `unknown`. */
  readonly settled?: Settlement;
  /** What the conversation holds that others have written and that counts under the policy. */
  readonly untrusted?: Untrusted;
  /** Name of the hook, for a call that no model asked for. */
  readonly hook?: string;
  /** Commit the workspace was at when the run began, empty for none; absent in runs from before anybody looked. */
  readonly head?: string;
}

export interface ActResult extends Pick<Decision, 'verdict' | 'rule' | 'reason' | 'effect'> {
  /** sha256 of the policy bundle that decided, 64 hex digits. */
  readonly policy: string;
  /** sha256 of the canonical action: what an approval is bound to. */
  readonly digest: string;
  /** False when the tool failed or was refused; the run goes on either way. */
  readonly ok: boolean;
  /** Absent when the verdict is `ask`: nothing happened. Absent with `unknown`. */
  readonly observation?: Ref;
  /** A crash cut it short and it may not be done twice: a person must say whether it happened. */
  readonly unknown?: true;
  /** The call has run; what it changed is held back, and `digest` is of exactly that. */
  readonly change?: true;
  /** With the verdict `ask`: ApprovalDetails. */
  readonly details?: Ref;
  /** With the verdict `ask`: sha256 of the file as it was when its change was shown. An approval counts while it is that. */
  readonly against?: string;
  /** Why the answer that was given does not count, as a sentence. */
  readonly refused?: string;
  /** What was carried out, where a person put other arguments in place of the model's. */
  readonly preview?: string;
  /** Snapshot after it; absent when it only looked. */
  readonly tree?: SnapshotId;
  /** In no snapshot and changed by an attempt that was cut short or stopped, at most 20: as that attempt left them. */
  readonly left?: readonly string[];
  /** First 200 characters of what the tool returned. */
  readonly head: string;
  /** 16 hex digits of the sha256 of what the model reads of it: whether the same call gave the same result. */
  readonly output?: string;
  readonly bytes: number;
  readonly exitCode?: number;
  /** What the model is told of a red hook. */
  readonly notes?: Ref;
  /** Secrets taken out of what the tool returned; absent when there were none. */
  readonly redacted?: number;
  readonly ms: number;
  /** Places of the observation's text that try to give orders; absent when none were seen. */
  readonly suspicious?: readonly Suspicion[];
  /** Set when the observation counts as untrusted under the policy. */
  readonly untrusted?: Untrusted;
  /** Limits of the bundle in force. */
  readonly limits: Limits;
}

/** What `act` stores for each call; the model reads it as the tool's answer, the reviewer as evidence. */
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
  /** What the model sees, capped head and tail. */
  readonly text: string;
  /** Where `text` tries to give orders to whoever reads it; absent when nothing of the kind was seen. */
  readonly suspicious?: readonly Suspicion[];
  /** The whole output where `text` is a cut of it. */
  readonly whole?: Ref;
  /** Name of the hook that ran it. */
  readonly hook?: string;
  /** True for a command that runs tests, and whose exit code says how they came out. */
  readonly test?: true;
  /** Snapshot of the workspace after it; of what it looked at, where it only looked. */
  readonly tree?: SnapshotId;
  /** Workspace-relative paths a file tool wrote or deleted. */
  readonly changed: readonly string[];
  /** The file whose content the model knows since then: sha256, `null` for none. */
  readonly seen?: { readonly path: string; readonly sha256: string | null };
  /** RFC 3339, when the action ended. */
  readonly time: string;
}
