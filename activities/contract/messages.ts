/** What workflow code and activities say about messages of people to a run. Types only. */
import type { Signature } from '../../audit/record/keys/answer-signature.ts';

export type MessageKind = 'pause' | 'resume' | 'cancel' | 'say' | 'rewind' | 'policyChanged';

/** That a message is the operator's, for one run and for once. */
export interface Proof {
  /** A UUID. */
  readonly nonce: string;
  /** Milliseconds since 1970, by the clock of whoever sent it. */
  readonly sent: number;
  readonly signature: Signature;
}

/** A message as it is checked: what it says is in `about`, of a text its sha256. */
export interface SentMessage extends Omit<Proof, 'signature'> {
  readonly what: MessageKind;
  readonly by: string;
  readonly about?: string;
  /** As it was sent: it may be anything. */
  readonly signature?: unknown;
  /** It counted before. */
  readonly again?: true;
}

export interface MessagesRequest {
  readonly run: string;
  /** Number of the order the run was announced with. */
  readonly order: string;
  readonly messages: readonly SentMessage[];
}

export interface MessagesResult {
  /** For each message why it does not count, as a sentence; null where it does. */
  readonly problems: readonly (string | null)[];
}

/** Run where workflow code runs: whatever else is under way, a person can cancel. */
export interface MessageActivities {
  checkMessages(request: MessagesRequest): Promise<MessagesResult>;
}
