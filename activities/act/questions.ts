/** Questions about a call: to allow it, to allow what it changed, or to say what happened. */
import type { Decision } from '../../policies/action.ts';
import { limitsOf } from '../../policies/decide.ts';
import type { Ref } from '../contract/refs.ts';
import { toAuditLine } from './call.ts';
import type { Acted, AuthorizedCall } from './call.ts';
import { storeDetails } from './details.ts';
import { maxLeft } from './outcome.ts';
import { storeChange, toDecision } from './protected-change.ts';
import type { Screened } from './screen.ts';
import { findVersion, toShown } from './versions.ts';

export async function askForApproval(call: AuthorizedCall, decision: Decision): Promise<Acted> {
  await call.dependencies.audit.append({ kind: 'decision', ...toAuditLine(call, decision) });
  const version = findVersion(call.action);
  const question = toQuestion(call, decision, await storeCall(call, decision));
  return typeof version === 'string'
    ? { ...question, digest: toShown(question.digest, version), against: version }
    : question;
}

/** The command has run and its change is in the store; asks about exactly that. */
export async function askAboutChange(
  call: AuthorizedCall,
  { asked, digest }: Extract<Screened, { state: 'asks' }>,
): Promise<Acted> {
  const { policy, action } = call;
  const { blobs, tools, audit, transactions } = call.dependencies;
  const decision = toDecision(asked, call.decision.effect);
  await audit.append({ kind: 'decision', ...toAuditLine(call, decision), digest });
  const { snapshots } = transactions.peek(action.workspace);
  const details = await storeChange({ blobs, tools, policy, snapshots }, action, decision, asked);
  const question = toQuestion(call, decision, details);
  return { ...question, reason: question.reason.slice(0, 500), digest, change: true };
}

/** Begun before a crash and not repeatable: only a person can say what happened. */
export async function askWhatHappened(
  call: AuthorizedCall,
  { pre: tree, left }: { readonly pre: string; readonly left?: readonly string[] },
): Promise<Acted> {
  const { preview } = call.base;
  const reason =
    left === undefined
      ? `The worker was stopped while this ran: ${preview}. It may have effects outside the workspace, so it is not run again. Find out whether it took effect.`
      : `The worker was stopped while this ran: ${preview}. It had changed files that no snapshot holds, so it cannot be reverted and is not run again: ${left.slice(0, maxLeft).join(', ')}. Check them. Approve if they are as they should be; deny to revert everything else and leave these as they are.`;
  const { rule, effect } = call.decision;
  const decision = { verdict: 'ask', rule, reason, effect } as const;
  await call.dependencies.audit.append({ kind: 'unknown', ...toAuditLine(call, decision), tree });
  return { ...toQuestion(call, decision, await storeCall(call, decision)), unknown: true };
}

const storeCall = (
  { dependencies, policy, action }: AuthorizedCall,
  decision: Decision,
): Promise<Ref> => storeDetails(dependencies, policy, action, decision);

const toQuestion = (
  { policy, base, answers: { refused } }: AuthorizedCall,
  { verdict, rule, reason, effect }: Decision,
  details: Ref,
): Acted => ({
  verdict,
  rule,
  reason,
  effect,
  policy: base.policy,
  digest: base.digest,
  ok: false,
  bytes: 0,
  ms: 0,
  head: reason.slice(0, 200),
  limits: limitsOf(policy),
  text: reason,
  details,
  refused,
});
