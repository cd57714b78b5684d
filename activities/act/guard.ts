import { createDenial } from '../../policies/paths/denied.ts';
import type { Policy } from '../../policies/policy.ts';
import type { Guard } from '../sandbox/survey.ts';

const guards = new WeakMap<Policy, Guard>();

/** One for each policy, so that what was found with it can be found again. */
export function guardOf(policy: Policy): Guard {
  const guard = guards.get(policy) ?? {
    isHidden: createDenial(policy, 'read'),
    isProtected: createDenial(policy, 'write'),
    isWatched: createDenial(policy, 'write', 'ask'),
  };
  guards.set(policy, guard);
  return guard;
}
