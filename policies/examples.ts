import type { Action, Decision } from './action.ts';
import { decideCommand } from './decide.ts';
import { matchesGlob } from './paths/glob.ts';
import { findFailures } from './grants/examples.ts';
import { decideUrl } from './network/network.ts';
import { decidePath } from './paths/paths.ts';
import type { CommandRule, Policy, Rule } from './policy.ts';

/** An example whose verdict differs from its rule's. */
interface ExampleFailure {
  readonly rule: string;
  readonly example: string;
  /** The list it is in. */
  readonly list: 'match' | 'not_match';
  readonly message: string;
}

export interface ExampleResult {
  /** Number of examples run. */
  readonly examples: number;
  readonly failures: readonly ExampleFailure[];
}

type Judge = (example: string) => Pick<Decision, 'rule' | 'verdict'>;

/**
 * Runs each rule's `match` and `not_match` examples: those it must decide, and those it must not. `toSample` returns a
 * valid call of a tool.
 */
export function testPolicy(
  policy: Policy,
  toSample: (tool: string, workspace: string) => Action,
): ExampleResult {
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
  const granted = policy.grants.flatMap((grant) =>
    findFailures(policy, grant, toSample(grant.tool, grant.workspace)),
  );
  return { examples, failures: [...failures, ...granted] };
}

const allLevels = (rule: CommandRule): CommandRule[] => [
  rule,
  ...[...rule.sub.values()].flatMap(allLevels),
];

const judgeLine = (policy: Policy, command: string) =>
  decideCommand(policy, { section: 'commands', command }, '/workspace');

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
