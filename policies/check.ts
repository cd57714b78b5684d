import { z } from 'zod';
import type { Decision, Verdict } from './action.ts';
import { decideCase } from './cases.ts';
import { decide } from './decide.ts';
import { matchesGlob } from './paths/glob.ts';
import { findFailures } from './grants/examples.ts';
import { decideUrl } from './network/network.ts';
import { decidePath } from './paths/paths.ts';
import type { CommandRule, Policy, Rule } from './policy.ts';

/** What `policies check` prints for one line. */
export interface CheckResult {
  readonly id: string;
  readonly verdict: Verdict;
  readonly rule: string;
  readonly reason: string;
}

/** A line that is neither an action nor a case. */
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
 * Judges a line of `policies check --cases`: an action `{id, tool, args}`, or a case `{id, kind, input}` of the kinds path,
 * command, network and policy-yaml. Undefined for cases of other kinds, which no policy decides.
 * @throws CheckError when the line is none of them.
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
  return toResult(id, decide(policy, { tool, args, workspace }));
}

/** A case whose input has another shape than its kind asks for is refused like any malformed call. */
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

/** An example of a rule that did not come out as the rule says. */
interface ExampleFailure {
  readonly rule: string;
  readonly example: string;
  /** The list it stands in. */
  readonly list: 'match' | 'not_match';
  readonly message: string;
}

export interface ExampleResult {
  /** How many examples were run. */
  readonly examples: number;
  readonly failures: readonly ExampleFailure[];
}

type Judge = (example: string) => Pick<Decision, 'rule' | 'verdict'>;

/** Runs the `match` and `not_match` examples of every rule: those it must decide with its verdict, and those it must not. */
export function testPolicy(policy: Policy): ExampleResult {
  const judged: [Rule, Judge][] = [
    ...policy.tools.map((rule): [Rule, Judge] => [rule, (tool) => judgeTool(policy, tool)]),
    ...(['read', 'write', 'delete'] as const).flatMap((op) =>
      policy.paths[op].map((rule): [Rule, Judge] => [rule, (path) => decidePath(policy, op, path)]),
    ),
    ...policy.network.map((rule): [Rule, Judge] => [
      rule,
      (url) => decideUrl(policy, url, undefined, rule.methods?.[0]),
    ]),
    ...[...policy.commands.values()]
      .flatMap(allLevels)
      .map((rule): [Rule, Judge] => [rule, (line) => judgeLine(policy, line)]),
  ];
  const failures = judged.flatMap(([rule, judge]) => [
    ...rule.match.flatMap((example) => failureOf(rule, judge, example, 'match')),
    ...rule.notMatch.flatMap((example) => failureOf(rule, judge, example, 'not_match')),
  ]);
  const examples = [...judged.map(([rule]) => rule), ...policy.grants].reduce(
    (sum, { match, notMatch }) => sum + match.length + notMatch.length,
    0,
  );
  const granted = policy.grants.flatMap((grant) => findFailures(policy, grant));
  return { examples, failures: [...failures, ...granted] };
}

const allLevels = (rule: CommandRule): CommandRule[] => [
  rule,
  ...[...rule.sub.values()].flatMap(allLevels),
];

const judgeLine = (policy: Policy, command: string) =>
  decide(policy, { tool: 'run_command', args: { command }, workspace: '/workspace' });

const judgeTool = (policy: Policy, tool: string) =>
  policy.tools
    .map(({ glob, id, verdict }) => ({ glob, rule: id, verdict }))
    .find(({ glob }) => matchesGlob(glob, [tool])) ?? {
    rule: 'tools.default',
    verdict: 'deny' as const,
  };

function failureOf(
  rule: Rule,
  judge: Judge,
  example: string,
  list: 'match' | 'not_match',
): ExampleFailure[] {
  const got = judge(example);
  const decided =
    got.verdict === rule.verdict && (got.rule === rule.id || got.rule.startsWith(`${rule.id}.`));
  if (decided === (list === 'match')) return [];
  const message =
    list === 'match'
      ? `${rule.id} should decide ${JSON.stringify(example)} with ${rule.verdict}, but ${got.rule} says ${got.verdict}`
      : `${rule.id} should not decide ${JSON.stringify(example)}, but it says ${got.verdict}`;
  return [{ rule: rule.id, example, list, message }];
}
