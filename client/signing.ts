import { randomUUID } from 'node:crypto';
import { signAnswer } from '../audit/record/keys/answer-signature.ts';
import { ensureOperatorKey } from '../audit/record/keys/approvers.ts';
import { signOrder, toSignedPromotion, toSignedRun } from '../audit/record/keys/order-signature.ts';
import { toKeyFile } from '../audit/record/keys/signing-key.ts';
import type { ApprovalAnswer, PromotionInput, RunInput } from '../workflows/contract.ts';
import type { RunState } from '../workflows/state.ts';

const readKey = () => ensureOperatorKey(toKeyFile(process.env, 'operator'));

/** Signs an answer with the operator's key, which is created on first use. */
export async function toSigned(
  run: string,
  answer: Omit<ApprovalAnswer, 'signature'>,
): Promise<ApprovalAnswer> {
  return { ...answer, signature: signAnswer(await readKey(), { run, ...answer }) };
}

/** The run as announced by the operator: workers carry out exactly this, once. */
export async function toOrderedRun(
  input: Omit<RunInput, 'order' | 'standing'>,
  carried?: RunState,
): Promise<RunInput> {
  const { toStandingBy } = await import('../workflows/contract.ts');
  const key = await readKey();
  const nonce = randomUUID();
  const order = signOrder(key, toSignedRun(input, nonce, carried));
  if (input.approve === 'ask') return { ...input, order };
  const answer = input.approve === 'auto' ? 'approve' : 'deny';
  const by = toStandingBy(input);
  const standing = signAnswer(key, { run: input.run, order: nonce, answer, by });
  return { ...input, order, standing };
}

/** The same for a promotion. */
export async function toOrderedPromotion(
  input: Omit<PromotionInput, 'order'>,
): Promise<PromotionInput> {
  return { ...input, order: signOrder(await readKey(), toSignedPromotion(input, randomUUID())) };
}
