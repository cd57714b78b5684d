import type { Decision } from './action.ts';
import { matchesGlob } from './paths/glob.ts';
import type { Policy } from './policy.ts';

const rule = 'shell.variables';

/**
 * Judges setting a variable for a command, because variables decide which programs start and what they load. `deny`
 * beats `ask` beats `allow`; unlisted names are refused.
 */
export function decideVariable({ shell }: Policy, name: string): Decision {
  const { allow, ask, deny } = shell.variables;
  const isIn = (globs: typeof ask) => globs.some((glob) => matchesGlob(glob, [name]));
  if (!isIn(deny)) {
    const reason = `Setting the variable ${name}`;
    if (isIn(ask))
      return {
        verdict: 'ask',
        rule,
        reason: `${reason} needs a person’s approval.`,
        effect: 'workspace',
      };
    if (isIn(allow))
      return { verdict: 'allow', rule, reason: `${reason} is harmless.`, effect: 'pure' };
  }
  return {
    verdict: 'deny',
    rule,
    reason: `Setting the variable ${name} is not allowed: it can change what other programs run. Leave it out.`,
    effect: 'workspace',
    unlisted: true,
  };
}
