/** Records a call's outcome for the run, the audit log and those who follow it. */
import { failpoint } from '../../audit/record/failpoint.ts';
import type { Decision } from '../../policies/action.ts';
import type { ActResult } from '../contract/act.ts';
import { toAuditLine } from './call.ts';
import type { Acted, AuthorizedCall } from './call.ts';
import type { Executed } from './executed.ts';
import { askAboutChange, askForApproval, askWhatHappened } from './questions.ts';
import { storeResult } from './result.ts';

export async function record(call: AuthorizedCall, executed: Executed): Promise<Acted> {
  switch (executed.state) {
    case 'stored':
      return await returnStored(call, executed.result);
    case 'committed':
      await logOutcome(call, executed.result, call.decision);
      failpoint('completion.before');
      return { ...executed.result, text: executed.result.head };
    case 'finished': {
      const acted = await storeResult(call, executed.outcome, executed);
      await logOutcome(call, acted, executed.decision);
      if (executed.error !== undefined) throw executed.error;
      return acted;
    }
    case 'ask':
      return await askForApproval(call, executed.decision);
    case 'held':
      return await askAboutChange(call, executed.screened);
    case 'unknown':
      return await askWhatHappened(call, executed);
  }
}

/** A committed call's result. Its audit line can be missing only after a crash between commit and log. */
async function returnStored(call: AuthorizedCall, result: ActResult): Promise<Acted> {
  const { dependencies, order, base } = call;
  if (!(await dependencies.audit.has({ kind: 'outcome', run: order.run, action: order.seq })))
    await logOutcome({ ...call, base: { ...base, policy: result.policy } }, result, result);
  return { ...result, text: result.head };
}

async function logOutcome(
  call: AuthorizedCall,
  { ok, ms, bytes, exitCode, observation, tree, redacted, suspicious }: ActResult,
  decision: Pick<Decision, 'verdict' | 'rule' | 'effect'>,
): Promise<void> {
  await call.dependencies.audit.append({
    kind: decision.verdict === 'allow' ? 'outcome' : 'decision',
    ...toAuditLine(call, decision),
    ok,
    ms,
    bytes,
    observation,
    exitCode,
    tree,
    redacted,
    suspicious,
  });
}
