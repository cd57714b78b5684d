/**
 * The operator's orders: a worker carries out these and nothing else. Each is signed over its full content with a
 * one-time number, so it cannot be reused, nor for another run, folder or goal.
 */
import type { Order } from '../../../activities/contract/approval.ts';
import type { Proof, SentMessage } from '../../../activities/contract/messages.ts';
import type { PromotionInput, RunInput } from '../../../workflows/contract.ts';
import { hashOf } from '../blobs.ts';
import { toCanonical } from '../canonical.ts';
import type { SigningKey } from './signing-key.ts';

/** A run's input without its signatures; the goal as a digest, since it may be confidential. */
export type OrderedRun = Omit<RunInput, 'order' | 'standing'>;
export type OrderedPromotion = Omit<PromotionInput, 'order'>;

export interface SignedRun {
  readonly v: 1;
  readonly kind: 'run';
  readonly nonce: string;
  readonly input: OrderedRun;
  /** sha256 of the state it continues from. */
  readonly carried?: string;
}

export interface SignedPromotion {
  readonly v: 1;
  readonly kind: 'promotion';
  readonly nonce: string;
  readonly input: OrderedPromotion;
}

export type SignedOrder = SignedRun | SignedPromotion;

/** What is signed of a run; `carried` is the state of the run it continues. */
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

/** An unguessable number, usable in file names. */
export const noncePattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The signed content of a message to a run. */
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
