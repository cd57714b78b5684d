import { signAnswer } from '../audit/answer-signature.ts';
import { ensureOperatorKey } from '../audit/approvers.ts';
import { toKeyFile } from '../audit/signing-key.ts';
import type { ApprovalAnswer, RunInput } from '../workflows/contract.ts';

const readKey = () => ensureOperatorKey(toKeyFile(process.env, 'operator'));

/** The answer with the signature of the operator's key, which is made on first use. */
export async function toSigned(
  run: string,
  answer: Omit<ApprovalAnswer, 'signature'>,
): Promise<ApprovalAnswer> {
  return { ...answer, signature: signAnswer(await readKey(), { run, ...answer }) };
}

/** The signature of a run's standing order; nothing for a run that asks. */
export async function signStanding(
  input: Pick<RunInput, 'run' | 'by' | 'approve'>,
): Promise<Pick<RunInput, 'standing'>> {
  if (input.approve === 'ask') return {};
  const { toStandingBy } = await import('../workflows/contract.ts');
  const answer = input.approve === 'auto' ? 'approve' : 'deny';
  const order = { run: input.run, answer, by: toStandingBy(input) } as const;
  return { standing: signAnswer(await readKey(), order) };
}
