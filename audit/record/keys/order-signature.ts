/**
 * The operator's orders: what a worker carries out, and nothing else. Each is signed over all that it says, with a number that
 * is used once, so that nothing of it can be used for another run, folder or goal, nor a second time.
 */
import type { Order } from '../../../activities/contract/approval.ts';
import type { Proof, SentMessage } from '../../../activities/contract/messages.ts';
import type { PromotionInput, RunInput } from '../../../workflows/contract.ts';
import { hashOf } from '../blobs.ts';
import { toCanonical } from '../canonical.ts';
import type { SigningKey } from './signing-key.ts';

/** All of a run's input but the signatures; the goal by its digest, for it may hold what only its reader should see. */
export type OrderedRun = Omit<RunInput, 'order' | 'standing'>;
export type OrderedPromotion = Omit<PromotionInput, 'order'>;

export interface SignedRun {
  readonly v: 1;
  readonly kind: 'run';
  readonly nonce: string;
  readonly input: OrderedRun;
  /** sha256 of the state it goes on from. */
  readonly carried?: string;
}

export interface SignedPromotion {
  readonly v: 1;
  readonly kind: 'promotion';
  readonly nonce: string;
  readonly input: OrderedPromotion;
}

export type SignedOrder = SignedRun | SignedPromotion;

/** What is signed of a run; `carried` is the state of another that it goes on from. */
export const toSignedRun = (
  { order: _order, standing: _standing, ...input }: RunInput,
  nonce: string,
  carried?: unknown,
): SignedRun => ({
  v: 1,
  kind: 'run',
  nonce,
  input: { ...input, goal: hashOf(input.goal) },
  carried: carried === undefined ? undefined : hashOf(toCanonical(carried)),
});

export const toSignedPromotion = (
  { queues, request }: PromotionInput,
  nonce: string,
): SignedPromotion => ({
  v: 1,
  kind: 'promotion',
  nonce,
  input: { queues, request: { ...request, goal: hashOf(request.goal) } },
});

export const toOrderText = (signed: SignedOrder): string => toCanonical(signed);

export const signOrder = (key: SigningKey, signed: SignedOrder): Order => ({
  nonce: signed.nonce,
  signature: { key: key.id, value: key.sign(toOrderText(signed)) },
});

/** A number nobody can guess, in a form that file names take. */
export const noncePattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What is signed of a message to a run. */
export interface SignedMessage extends Omit<SentMessage, 'signature' | 'again'> {
  readonly run: string;
  /** Number of the order the run was announced with. */
  readonly order: string;
}

export const toMessageText = (message: SignedMessage): string =>
  toCanonical({ v: 1, kind: 'message', ...message });

export const signMessage = (key: SigningKey, message: SignedMessage): Proof => ({
  nonce: message.nonce,
  sent: message.sent,
  signature: { key: key.id, value: key.sign(toMessageText(message)) },
});
