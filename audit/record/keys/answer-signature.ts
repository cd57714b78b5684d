/** Signed answers of people: only a known key's answer counts, so a forged message to a run is worthless. */
import { toCanonical } from '../canonical.ts';
import type { PublicKey, SigningKey } from './signing-key.ts';

/** Ed25519. */
export interface Signature {
  /** Id of the key: 16 hex digits. */
  readonly key: string;
  /** Base64. */
  readonly value: string;
}

/** The answer to one request about one exact action. */
export interface SignedAnswer {
  readonly run: string;
  readonly request: string;
  readonly digest: string;
  readonly answer: 'approve' | 'deny';
  readonly by: string;
  /** Arguments replacing the model's. */
  readonly edited?: string;
}

/** An answer to everything a run may ask, given at its start. */
export interface StandingOrder {
  readonly run: string;
  /** The order the run was announced with; valid for no other. */
  readonly order: string;
  readonly answer: 'approve' | 'deny';
  readonly by: string;
}

type Signable = SignedAnswer | StandingOrder;

/**
 * The signed text: what an answer does and for which request. The reason is left out, because it is redacted on its
 * way. A standing order has fewer fields, hence a different text.
 */
function toText(signable: Signable): string {
  const { run, answer, by } = signable;
  if (!('request' in signable)) {
    const { order } = signable;
    return toCanonical({ v: 1, kind: 'order', run, order, answer, by });
  }
  const { request, digest, edited } = signable;
  return toCanonical({ v: 1, kind: 'answer', run, request, digest, answer, by, edited });
}

export const signAnswer = (key: SigningKey, signable: Signable): Signature => ({
  key: key.id,
  value: key.sign(toText(signable)),
});

/** Why an answer is invalid, as a sentence; undefined if it is valid. */
export const findSignatureProblem = (
  keys: readonly PublicKey[],
  signable: Signable,
  signature: Signature | undefined,
): string | undefined => findTextProblem(keys, toText(signable), signature);

/** Why a text was not signed by an approver, as a sentence; undefined if it was. The signature may be malformed. */
export function findTextProblem(
  keys: readonly PublicKey[],
  text: string,
  signature: unknown,
): string | undefined {
  if (signature === undefined) return 'it is not signed';
  if (!isSignature(signature)) return 'its signature is not valid';
  const key = keys.find(({ id }) => id === signature.key);
  if (key === undefined)
    return `its key ${signature.key.slice(0, 16)} does not belong to an approver`;
  return key.isSigned(text, signature.value)
    ? undefined
    : 'its signature does not match its content';
}

function isSignature(value: unknown): value is Signature {
  const { key, value: signed } = (value ?? {}) as Partial<Record<keyof Signature, unknown>>;
  return typeof key === 'string' && typeof signed === 'string';
}
