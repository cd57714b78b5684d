/** What a person is asked, and what they answer. Types only. */
import type { Signature } from '../../audit/record/keys/answer-signature.ts';
import type { Effect, Verdict } from '../../policies/action.ts';
import type { Risk } from '../../policies/risk.ts';
import type { Ref } from './refs.ts';

/** The operator's signature on what to carry out, with a one-time number. */
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
  /** Arguments replacing the model's. */
  readonly edited?: Ref;
  /** The answer is valid only if an approver signed it. */
  readonly signature?: Signature;
  /** Given in advance, when the run started, to everything it may ask; the signature covers that. */
  readonly standing?: true;
  /** For a standing answer: number of the order the run was announced with. */
  readonly order?: string;
}

/** What a person sees before answering: a blob, because it may be long. */
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
  /** How the tool shows the call; absent if by its arguments. */
  readonly shown?: ShownCall;
  /** Each part of a command line with the verdict on it alone. */
  readonly parts?: readonly ApprovalPart[];
  /** Hunks of a unified diff, of the file that would change or of `changes`. */
  readonly diff?: string;
  /** Files a command changed, whose change is held back. */
  readonly changes?: readonly ChangedFile[];
}

/** A call as text, and the arguments that are not in it. */
export interface ShownCall {
  readonly text: string;
  readonly rest: Readonly<Record<string, unknown>>;
}

/** One file of a held-back change. */
export interface ChangedFile {
  /** Relative to the workspace. */
  readonly path: string;
  readonly kind: 'added' | 'changed' | 'deleted';
  readonly rule: string;
  /** As git writes it, 120000 for a link; absent for a deleted file, like the following. */
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

/** A person's answer about an effect whose outcome is unknown after a crash. */
export interface Settlement {
  readonly request: string;
  readonly what: 'happened' | 'not';
  readonly by: string;
  readonly reason?: string;
  readonly signature?: Signature;
}
