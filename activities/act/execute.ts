/** Executes what was authorized: skips committed calls, and uses a transaction for changes in a run. */
import type { Decision } from '../../policies/action.ts';
import type { AuthorizedCall } from './call.ts';
import { carryOut } from './carry-out.ts';
import { executeInTransaction, rollback } from './execute-in-transaction.ts';
import { createStopwatch, toExecuted } from './executed.ts';
import type { Executed } from './executed.ts';
import { refusal } from './outcome.ts';
import type { Outcome } from './outcome.ts';
import { renderWithheld } from './protected-change.ts';
import { createScreen } from './screen.ts';
import { createToolContext } from './tool-context.ts';
import { createCheck, findProblem } from './versions.ts';

export async function execute(call: AuthorizedCall): Promise<Executed> {
  const executed = await perform(call);
  if (executed.state !== 'ask' || call.identity === undefined) return executed;
  // Do not ask about a change that would be refused afterwards.
  const { previous } = call.order;
  const check = await createCheck(call.dependencies.blobs, { previous });
  const reason = findProblem(check, call.action);
  if (reason === undefined) return executed;
  return refuse({ ...executed.decision, verdict: 'deny', rule: 'files.version', reason });
}

async function perform(call: AuthorizedCall): Promise<Executed> {
  const { decision, identity, recalled, resumes } = call;
  if (recalled?.state === 'committed') return { state: 'stored', result: recalled.result };
  if (identity !== undefined) {
    if (resumes) return await executeInTransaction(call, identity);
    const isRepeated = decision.verdict === 'allow' && decision.effect !== 'pure';
    if (recalled !== undefined && !isRepeated) await rollback(call, identity);
  }
  if (decision.verdict === 'ask') return { state: 'ask', decision };
  if (decision.verdict === 'deny') return refuse(decision);
  return decision.effect === 'pure' || identity === undefined
    ? await executeAtOnce(call)
    : await executeInTransaction(call, identity);
}

const refuse = (decision: Decision): Executed => ({
  state: 'finished',
  outcome: refusal(decision),
  decision,
  ms: 0,
});

/** Reading needs no transaction; outside runs there are none. */
async function executeAtOnce(call: AuthorizedCall): Promise<Executed> {
  const { decision } = call;
  const elapsed = createStopwatch();
  try {
    const outcome = await executeScreened(call);
    return { state: 'finished', outcome, decision, ms: elapsed() };
  } catch (error) {
    return toExecuted(error, call, { ms: elapsed(), isReverted: false });
  }
}

/** A command outside runs may change things that cannot be restored or held back. */
async function executeScreened(call: AuthorizedCall): Promise<Outcome> {
  const { dependencies, order, action, policy, base, decision } = call;
  const context = createToolContext(call, order.signal);
  if (decision.effect === 'pure' || action.access.section !== 'commands')
    return await carryOut(action, context);
  const { sandbox } = dependencies;
  const { digest } = base;
  const screen = createScreen({ policy, action, digest, sandbox, hasSnapshots: false });
  const sights = await screen.look();
  const outcome = await carryOut(action, context);
  const denied = await screen.clear(sights);
  if (denied.length === 0) return outcome;
  return { ...outcome, ok: false, text: outcome.text + renderWithheld(denied) };
}
