/** Decides whether an action may run: redacted arguments, people's answers, the policy, and the store's notes. */
import { realpathSync } from 'node:fs';
import { failpoint } from '../../audit/record/failpoint.ts';
import type { Action, Decision } from '../../policies/action.ts';
import { formRedactor } from '../../policies/secrets/redaction.ts';
import type { ActResult } from '../contract/act.ts';
import { verifyAnswers } from './answers.ts';
import { isRedirected } from './call.ts';
import type { ActDependencies, ActOrder, AuthorizedCall } from './call.ts';
import { checksOf } from './checks.ts';
import type { Checks } from './checks.ts';
import { judge } from './judge.ts';
import { findVersion } from './versions.ts';

export async function authorize(
  dependencies: ActDependencies,
  order: ActOrder,
): Promise<AuthorizedCall> {
  const { run, step, seq, tool, hook, untrusted } = order;
  const { sandbox, transactions } = dependencies;
  const checks = checksOf(dependencies.redactor ?? formRedactor);
  const asked = await toAction(dependencies, checks, order);
  const answers = await verifyAnswers(dependencies, order, asked.action);
  const { action, digest } = answers;
  const { workspace } = action;
  const { policy, sha256 } = await dependencies.policy(workspace);
  // The store first: a committed call stands, whatever today's policy says.
  const identity = seq === undefined ? undefined : { workspace, run, seq, digest };
  const recalled =
    identity === undefined ? undefined : await transactions.recall<ActResult>(identity);
  // What was approved is a different change by now.
  const against = isRedirected({ order, action }) ? undefined : order.against;
  const isStale =
    recalled === undefined && against !== undefined && findVersion(action) !== against;
  const approval = isStale ? undefined : answers.approval;
  failpoint('decide.before');
  const judged = asked.refused ?? (await checks.decide(policy, action, untrusted));
  const decision = judge(judged, { action, digest, sandbox, approval });
  failpoint('decide.after');
  const begun = recalled?.state === 'begun' ? (recalled.decision ?? decision) : undefined;
  // It must not be repeated, or a person has said what happened.
  const resumes =
    begun !== undefined && (begun.effect === 'external' || answers.settled !== undefined);
  const base = {
    run,
    step,
    tool,
    digest,
    policy: sha256,
    preview: dependencies.tools.toPreview(tool, action.args),
    action: seq,
    hook,
    approver: approval?.by,
  };
  return {
    dependencies,
    order,
    action,
    policy,
    base,
    answers,
    decision: resumes ? begun : decision,
    identity,
    recalled,
    resumes,
  };
}

/** Deciding, showing, approving and executing all use the same redacted arguments. */
async function toAction(
  { tools }: ActDependencies,
  checks: Checks,
  order: ActOrder,
): Promise<{ readonly action: Action; readonly refused?: Decision }> {
  const { tool } = order;
  const workspace = realpathSync(order.workspace);
  const args = await checks.redactArguments(order.args);
  if (args !== undefined) return { action: tools.toAction({ tool, args, workspace }) };
  const reason = `The arguments of ${tool} could not be checked for secrets in time. Send less at once.`;
  const refused: Decision = { verdict: 'deny', rule: 'secrets.deadline', reason, effect: 'pure' };
  return { action: tools.toAction({ tool, args: {}, workspace }), refused };
}
