/** What workflows and activities exchange about people's messages to a run. Types only. */
import type { Signature } from '../../audit/record/keys/answer-signature.ts';

export type MessageKind = 'pause' | 'resume' | 'cancel' | 'say' | 'rewind' | 'policyChanged';

/** Proves that a message is the operator's, for one run and one use. */
export interface Proof {
  /** A UUID. */
  readonly nonce: string;
  /** Milliseconds since 1970, by the sender's clock. */
  readonly sent: number;
  readonly signature: Signature;
}

/** A message as checked: its content is in `about`, texts as their sha256. */
export interface SentMessage extends Omit<Proof, 'signature'> {
  readonly what: MessageKind;
  readonly by: string;
  readonly about?: string;
  /** As sent; may be malformed. */
  readonly signature?: unknown;
  /** It has been accepted before. */
  readonly again?: true;
}

export interface MessagesRequest {
  readonly run: string;
  /** Number of the order the run was announced with. */
  readonly order: string;
  readonly messages: readonly SentMessage[];
}

export interface MessagesResult {
  /** For each message why it is invalid, as a sentence; null if it is valid. */
  readonly problems: readonly (string | null)[];
}

/** Runs where workflow code runs, so that a person can cancel whatever else is in progress. */
export interface MessageActivities {
  checkMessages(request: MessagesRequest): Promise<MessagesResult>;
}
