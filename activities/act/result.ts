import { failpoint } from '../../audit/record/failpoint.ts';
import type { Action, Decision } from '../../policies/action.ts';
import { isTestRun } from '../../policies/commands/test-runs.ts';
import { CommandError, toCommandLine } from '../../policies/commands/shell.ts';
import { limitsOf } from '../../policies/decide.ts';
import { formRedactor } from '../../policies/secrets/redaction.ts';
import { toUntrusted } from '../../policies/untrusted/untrusted.ts';
import type { Acted, AuthorizedCall } from './call.ts';
import { checksOf, toWithheld } from './checks.ts';
import { storeObservation } from './observe.ts';
import type { Outcome } from './outcome.ts';
import { findOutside } from './provenance.ts';

/** Stores the observation and returns what the run needs of it. */
export async function storeResult(
  { dependencies, order, action, base, policy, answers: { note } }: AuthorizedCall,
  raw: Outcome,
  { decision, ms }: { readonly decision: Decision; readonly ms: number },
  tree = order.tree,
): Promise<Acted> {
  const { verdict, rule, reason, effect } = decision;
  const checks = checksOf(dependencies.redactor ?? formRedactor);
  const given = (note ?? '') + raw.text;
  const masked = (await checks.redact(given)) ?? { text: toWithheld(given), count: 0 };
  const outcome = { ...raw, text: masked.text };
  const redacted = masked.count + (raw.redacted ?? 0);
  failpoint('blob.before');
  const { blobs, tools } = dependencies;
  const tool = tools.find(order.tool);
  const foreign = tool?.foreign ?? true;
  const { ref, text, output, suspicious } = await storeObservation(
    { blobs, checks, foreign },
    outcome,
    {
      seq: order.seq ?? 0,
      step: order.step,
      call: order.call,
      tool: order.tool,
      preview: base.preview,
      verdict,
      rule,
      ms,
      time: new Date().toISOString(),
      hook: order.hook,
      tree,
      test: verdict === 'allow' && isTest(action) ? true : undefined,
      previous: order.previous,
    },
  );
  const outside =
    verdict === 'allow'
      ? await findOutside({ run: order.run, head: order.head, action, tool, policy, outcome })
      : undefined;
  const untrusted =
    verdict === 'allow' && foreign
      ? toUntrusted(policy, `${order.tool} ${base.preview}`, suspicious, outside)
      : undefined;
  failpoint('blob.after');
  return {
    verdict,
    rule,
    reason: reason.slice(0, 500),
    effect,
    policy: base.policy,
    digest: base.digest,
    ok: outcome.ok,
    observation: ref,
    head: text.slice(0, 200),
    output,
    bytes: outcome.bytes,
    ms,
    limits: limitsOf(policy),
    text,
    exitCode: outcome.exitCode,
    preview: note === undefined ? undefined : base.preview,
    redacted: redacted === 0 ? undefined : redacted,
    suspicious: suspicious.length === 0 ? undefined : suspicious,
    untrusted,
  };
}

/** A refused call may not parse as a command. */
function isTest({ access, workspace }: Action): boolean {
  if (access.section !== 'commands') return false;
  try {
    return isTestRun(toCommandLine(access, workspace));
  } catch (error) {
    if (error instanceof CommandError) return false;
    throw error;
  }
}
