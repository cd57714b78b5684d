/** What a person is asked, and what they answer. Types only. */
import type { Signature } from '../../audit/record/keys/answer-signature.ts';
import type { Effect, Verdict } from '../../policies/action.ts';
import type { Risk } from '../../policies/risk.ts';
import type { Ref } from './refs.ts';

/** The operator's signature of what they want carried out, and the number that makes it one of a kind. */
export interface Order {
  /** A UUID. */
  readonly nonce: string;
  readonly signature: Signature;
}

/** A person's answer to an `ask`, bound to the digest of exactly what was shown. */
export interface Approval {
  readonly request: string;
  readonly digest: string;
  readonly answer: 'approve' | 'deny';
  readonly by: string;
  readonly reason?: string;
  /** Arguments a person wrote in place of the model's. */
  readonly edited?: Ref;
  /** Without one of an approver the answer does not count. */
  readonly signature?: Signature;
  /** Given when the run was started, to whatever it would ask: the signature is about that. */
  readonly standing?: true;
  /** Of a standing order: the number of the order the run was announced with. */
  readonly order?: string;
}

/** What a person is shown before they answer: a blob, since it may be long. */
export interface ApprovalDetails {
  readonly v: 1;
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** Absolute path. */
  readonly workspace: string;
  readonly verdict: Verdict;
  readonly rule: string;
  readonly reason: string;
  readonly effect: Effect;
  readonly risk: Risk;
  /** Each part of a command line with what the policy says of it alone. */
  readonly parts?: readonly ApprovalPart[];
  /** Of a file that would be changed, or of `changes`: the hunks of a unified diff. */
  readonly diff?: string;
  /** Files that a command has changed and whose change is held back. */
  readonly changes?: readonly ChangedFile[];
}

/** One file of a change that is held back. */
export interface ChangedFile {
  /** Relative to the workspace. */
  readonly path: string;
  readonly kind: 'added' | 'changed' | 'deleted';
  readonly rule: string;
  /** As git writes it, 120000 for a link; absent for a deleted file, as are those after it. */
  readonly mode?: string;
  readonly bytes?: number;
  readonly sha256?: string;
}

export interface ApprovalPart {
  readonly text: string;
  /** Below the workspace. */
  readonly cwd: string;
  readonly verdict: Verdict;
  readonly rule: string;
}

/** What a person says of an effect whose outcome a crash left unknown. */
export interface Settlement {
  readonly request: string;
  readonly what: 'happened' | 'not';
  readonly by: string;
  readonly reason?: string;
  readonly signature?: Signature;
}
