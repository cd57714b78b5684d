import type { Action, Decision } from '../action.ts';
import { decide } from '../decide.ts';
import type { Grant } from './grant.ts';
import { isByCall } from './grants.ts';
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
 * must be judged as if the grant did not exist. `sample` is any valid call of its tool in its workspace.
 */
export function findFailures(policy: Policy, grant: Grant, sample: Action): GrantFailure[] {
  const without = { ...policy, grants: policy.grants.filter(({ id }) => id !== grant.id) };
  const granting = { ...policy, grants: [grant, ...without.grants] };
  const fail = (list: GrantFailure['list'], example: string, message: string): GrantFailure[] => [
    { rule: grant.id, example, list, message },
  ];
  const toAction = createExample(grant, sample);
  if (toAction === undefined)
    return fail('match', grant.match[0] ?? '', `${grant.id} names no action of ${grant.tool}`);
  const judge = (example: string): readonly [before: Decision, now: Decision] => {
    const action = toAction(example);
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

/** What an example describes: a command line, a path, or arguments as JSON. Undefined if the tool is of another kind. */
function createExample(
  { granted }: Grant,
  sample: Action,
): ((example: string) => Action) | undefined {
  const { access } = sample;
  switch (granted.kind) {
    case 'command':
    case 'text': {
      const { section } = access;
      if (section !== 'commands') return undefined;
      return (command) => ({ ...sample, access: { section, command, cwd: granted.cwd } });
    }
    case 'file':
      if (access.section !== 'paths') return undefined;
      return (path) => ({ ...sample, access: { ...access, path } });
    case 'call':
      return isByCall(access) ? (text) => ({ ...sample, args: toArgs(text) }) : undefined;
  }
}

function toArgs(example: string): Action['args'] {
  try {
    return JSON.parse(example) as Action['args'];
  } catch {
    return {}; // A mistake in the file, which then decides nothing.
  }
}
