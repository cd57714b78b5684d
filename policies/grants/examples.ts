import type { Action, Decision } from '../action.ts';
import { decide } from '../decide.ts';
import type { Grant } from './grant.ts';
import type { Policy } from '../policy.ts';
import { rulesThatAsk } from '../strictest.ts';

/** An example that a grant does not decide as it says. */
export interface GrantFailure {
  readonly rule: string;
  readonly example: string;
  readonly list: 'match' | 'not_match';
  readonly message: string;
}

/**
 * Runs a grant's examples through the real engine: a match must be allowed wherever the lifted rules ask; a non-match
 * must be judged as if the grant did not exist.
 */
export function findFailures(policy: Policy, grant: Grant): GrantFailure[] {
  const without = { ...policy, grants: policy.grants.filter(({ id }) => id !== grant.id) };
  const granting = { ...policy, grants: [grant, ...without.grants] };
  const fail = (list: GrantFailure['list'], example: string, message: string): GrantFailure[] => [
    { rule: grant.id, example, list, message },
  ];
  const judge = (example: string): readonly [before: Decision, now: Decision] => {
    const action = toAction(grant, example);
    return [decide(without, action), decide(granting, action)];
  };
  const matched = grant.match.flatMap((example) => {
    const [before, now] = judge(example);
    const asks = rulesThatAsk(before);
    // If nothing asks any more, or another rule does, the grant has nothing to lift.
    if (!asks.every((rule) => grant.lifts.includes(rule)) || asks.length === 0) return [];
    if (now.verdict === 'allow' && now.rule === grant.id) return [];
    const message = `${grant.id} should allow ${JSON.stringify(example)}, but ${now.rule} says ${now.verdict}`;
    return fail('match', example, message);
  });
  const unmatched = grant.notMatch.flatMap((example) => {
    const [before, now] = judge(example);
    if (now.verdict === before.verdict && now.rule === before.rule) return [];
    const message = `${grant.id} should not decide ${JSON.stringify(example)}, but it says ${now.verdict}`;
    return fail('not_match', example, message);
  });
  return [...matched, ...unmatched];
}

/** What an example describes: a command line, a path, or arguments as JSON. */
function toAction({ tool, workspace, granted }: Grant, example: string): Action {
  switch (granted.kind) {
    case 'command':
    case 'text':
      return { tool, workspace, args: { command: example, cwd: granted.cwd } };
    case 'file':
      return { tool, workspace, args: { path: example, ...otherArgs[tool] } };
    case 'call':
      return { tool, workspace, args: toArgs(example) };
  }
}

/** The arguments a tool requires besides the path, on which a path grant says nothing. */
const otherArgs: Readonly<Record<string, Action['args']>> = {
  write_file: { content: '' },
  edit_file: { old: 'a', new: 'b' },
  search: { pattern: 'a' },
};

function toArgs(example: string): Action['args'] {
  try {
    return JSON.parse(example) as Action['args'];
  } catch {
    return {}; // A mistake in the file, which then decides nothing.
  }
}
