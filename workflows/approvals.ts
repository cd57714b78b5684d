import { condition, setHandler } from '@temporalio/workflow';
import type { Approval, Settlement } from '../activities/contract/approval.ts';
import type { ApprovalAnswer, ApprovalRequest } from './contract.ts';
import { answerApproval, policyChanged, toStandingBy } from './contract.ts';
import { heed } from './messages.ts';
import { enter } from './show.ts';
import type { Run } from './live-run.ts';
import type { ApprovalQuestion } from './questions.ts';
import { nextRequest } from './questions.ts';

/** Answers are updates: the validator refuses a stale or wrong one before it leaves an event. */
export function registerApprovals(run: Run): void {
  const take = (answer: ApprovalAnswer): void => {
    const waiting = run.pending.find(({ request }) => request.id === answer.request);
    if (waiting !== undefined) waiting.answer ??= answer;
  };
  setHandler(answerApproval, take, { validator: (answer) => validate(run, answer) });
  setHandler(policyChanged, async (policy: unknown, by, proof) => {
    const about = typeof policy === 'string' ? policy.slice(0, 64) : '';
    await heed(run, { what: 'policyChanged', by, proof, about }, () => {
      // The policy did not ask these, so it has no say in them.
      for (const entry of run.pending)
        if (entry.request.kind === undefined || entry.request.kind === 'change') entry.stale = true;
    });
  });
}

function validate(run: Run, given: ApprovalAnswer): void {
  const { request, digest, answer, by, reason, edited } = given;
  const open = run.pending.filter((entry) => entry.answer === undefined && entry.stale !== true);
  const waiting = open.find((entry) => entry.request.id === request);
  if (waiting === undefined) {
    const others = open.map((entry) => entry.request.id).join(', ');
    throw new Error(
      others === ''
        ? `No approval is waiting in run ${run.input.run}.`
        : `Request ${request} is not waiting in run ${run.input.run}; waiting: ${others}.`,
    );
  }
  if (waiting.request.digest !== digest) {
    throw new Error(
      `Request ${request} is about another action than the one answered. Look again: agent show ${run.input.run}`,
    );
  }
  if (answer !== 'approve' && answer !== 'deny') {
    throw new Error(`An answer must be "approve" or "deny", got "${String(answer)}".`);
  }
  for (const [name, value] of Object.entries({ by, reason, edited }))
    if (value !== undefined && typeof value !== 'string')
      throw new Error(`"${name}" of an answer is text, got ${typeof value}.`);
}

/**
 * Waits for an answer: a person's, or the operator's standing order. Never expires: a timeout is not a rejection. A
 * standing order cannot answer for an outcome left unknown by a crash, nor after it was found invalid. Returns without
 * an answer if the policy changed meanwhile: the action must then be judged again, and maybe asked about anew.
 */
export async function waitForAnswer(
  run: Run,
  question: ApprovalQuestion,
): Promise<Approval | undefined> {
  const { state, input } = run;
  const { digest } = question;
  const id = nextRequest(state);
  if (isStanding(run, question)) {
    const answer = input.approve === 'auto' ? 'approve' : 'deny';
    const { standing: signature, order } = input;
    return {
      request: id,
      digest,
      answer,
      by: toStandingBy(input),
      standing: true,
      signature,
      order: order?.nonce,
    };
  }
  const entry: Run['pending'][number] = { request: { id, ...question } };
  run.pending.push(entry);
  enter(run, { phase: 'awaiting-approval', request: entry.request });
  try {
    await condition(() => entry.answer !== undefined || entry.stale === true);
  } finally {
    run.pending.splice(run.pending.indexOf(entry), 1);
  }
  if (entry.answer === undefined) return undefined;
  const { answer, by, reason, edited, signature } = entry.answer;
  return { request: id, digest, answer, by, reason, edited, signature };
}

/** Whether the operator answered in advance, at the run's start. */
const isStanding = (
  { input }: Pick<Run, 'input'>,
  { kind, refused }: Pick<ApprovalRequest, 'kind' | 'refused'>,
): boolean => input.approve !== 'ask' && kind !== 'unknown' && refused === undefined;

/** A person's answer about an outcome nobody else can know. */
export const toSettlement = ({ request, answer, by, reason, signature }: Approval): Settlement => ({
  request,
  what: answer === 'approve' ? 'happened' : 'not',
  by,
  reason,
  signature,
});
