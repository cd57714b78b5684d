import { createDenial } from '../../policies/paths/denied.ts';
import type { Policy } from '../../policies/policy.ts';

/** The policy's view of a name in a folder that is itself accessible; names are below the workspace root. */
export interface Guard {
  readonly isHidden: (folder: readonly string[], name: string) => boolean;
  readonly isProtected: (folder: readonly string[], name: string) => boolean;
  /** May be changed only with approval: it is not covered, but its changes are judged. */
  readonly isWatched?: (folder: readonly string[], name: string) => boolean;
}

const guards = new WeakMap<Policy, Guard>();

/** One per policy, so that cached results can be reused. */
export function guardOf(policy: Policy): Guard {
  const guard = guards.get(policy) ?? {
    isHidden: createDenial(policy, 'read'),
    isProtected: createDenial(policy, 'write'),
    isWatched: createDenial(policy, 'write', 'ask'),
  };
  guards.set(policy, guard);
  return guard;
}
