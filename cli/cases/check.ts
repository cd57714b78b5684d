import { z } from 'zod';
import type { Decision, Verdict } from '../../policies/action.ts';
import { decideCase } from './corpus.ts';
import { decide } from '../../policies/decide.ts';
import { builtIn } from '../../tools/built-in.ts';
import type { Policy } from '../../policies/policy.ts';

/** What `policies check` prints per line. */
export interface CheckResult {
  readonly id: string;
  readonly verdict: Verdict;
  readonly rule: string;
  readonly reason: string;
}

/** The line is neither an action nor a case. */
export class CheckError extends Error {
  override readonly name = 'CheckError';
}

const actionLine = z.object({
  id: z.string().default(''),
  tool: z.string(),
  args: z.record(z.string(), z.unknown()).default({}),
});
const input = z.record(z.string(), z.unknown());
const caseLine = z.object({ id: z.string(), kind: z.string(), input });

/**
 * Judges a line of `policies check --cases`: an action `{id, tool, args}`, or a case `{id, kind, input}` of kind path,
 * command, network or policy-yaml. Undefined for other kinds, which policies do not decide. @throws CheckError if the
 * line is neither.
 */
export function checkCase(
  policy: Policy,
  line: unknown,
  workspace: string,
): CheckResult | undefined {
  const known = caseLine.safeParse(line);
  if (known.success) {
    const { id, kind, input: given } = known.data;
    const decision = safely(() => decideCase(policy, kind, given, workspace));
    return decision && toResult(id, decision);
  }
  const action = actionLine.safeParse(line);
  if (!action.success) {
    throw new CheckError(
      `${JSON.stringify(line)?.slice(0, 200)} is not a case; expected {"id","tool","args"} or {"id","kind","input"}.`,
    );
  }
  const { id, tool, args } = action.data;
  return toResult(id, decide(policy, builtIn.toAction({ tool, args, workspace })));
}

/** Input that does not fit its kind is refused like any malformed call. */
function safely(judge: () => Decision | undefined): Decision | undefined {
  try {
    return judge();
  } catch (error) {
    const reason = `The case cannot be read: ${String(error)}`;
    return { verdict: 'deny', rule: 'check.form', reason, effect: 'pure' };
  }
}

const toResult = (id: string, { verdict, rule, reason }: Decision): CheckResult => ({
  id,
  verdict,
  rule,
  reason,
});
