/** Signatures of what people answer: only an answer by a known key counts, so a forged message to the run is worth nothing. */
import { toCanonical } from '../canonical.ts';
import type { PublicKey, SigningKey } from './signing-key.ts';

/** Ed25519. */
export interface Signature {
  /** Id of the key: 16 hex digits. */
  readonly key: string;
  /** Base64. */
  readonly value: string;
}

/** The answer to one request about exactly one action. */
export interface SignedAnswer {
  readonly run: string;
  readonly request: string;
  readonly digest: string;
  readonly answer: 'approve' | 'deny';
  readonly by: string;
  /** Arguments in place of the model's. */
  readonly edited?: string;
}

/** The answer to whatever a run may ask, given when it was started. */
export interface StandingOrder {
  readonly run: string;
  /** Of the order the run was announced with: it counts for nothing else. */
  readonly order: string;
  readonly answer: 'approve' | 'deny';
  readonly by: string;
}

type Signable = SignedAnswer | StandingOrder;

/**
 * What an answer does, and whose it is; an order says less and is another text for that. The reason is not in it: secrets are
 * taken out of it on its way, by whoever knows more of them.
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

/** Why an answer does not count, as a sentence; undefined when it does. */
export const findSignatureProblem = (
  keys: readonly PublicKey[],
  signable: Signable,
  signature: Signature | undefined,
): string | undefined => findTextProblem(keys, toText(signable), signature);

/** Why a text is not an approver's, as a sentence; undefined when it is. The signature may be anything. */
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
