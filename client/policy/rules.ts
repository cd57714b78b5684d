/** Always-allow rules: written and put in force atomically, and removed. */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { releaseLock, waitForLock } from '../../audit/record/lock.ts';
import { nameGrants, writeAlways } from '../../config/always.ts';
import type { Settings } from '../../config/environment.ts';
import type { Activation } from '../../config/policy-in-force.ts';
import { prepareStateFolder } from '../../config/state-folder.ts';
import type { Grant, ProposedGrant } from '../../policies/grants/grant.ts';
import { invalid } from '../errors.ts';
import { readStack } from '../stack/file.ts';
import { withPolicyOf } from '../stack/settings.ts';
import { activatePolicy } from './activate.ts';
import { readBundle } from './bundle.ts';

const patienceMs = 10_000;

/** Adds rules and puts the policy in force. @throws ClientError; nothing changes then. */
export const addRules = (
  settings: Settings,
  proposed: readonly ProposedGrant[],
  by: string,
): Promise<RulesActivation> =>
  rewrite(settings, by, (known) => {
    const rules = nameGrants(known, proposed, by);
    return { rules, all: [...known, ...rules], change: { added: rules.map(({ id }) => id) } };
  });

/** Removes a rule and puts the policy in force without it. @throws ClientError if there is no such rule. */
export const forgetRule = (settings: Settings, id: string, by: string): Promise<RulesActivation> =>
  rewrite(settings, by, (known) => {
    const all = known.filter((rule) => rule.id !== id);
    if (all.length < known.length)
      return { rules: known.filter((rule) => rule.id === id), all, change: { removed: [id] } };
    const ids = known.map((rule) => rule.id).join(', ');
    throw invalid(
      `There is no rule "${id}" in ${settings.always}; ${ids === '' ? 'it has none' : `it has ${ids}`}.`,
    );
  });

export interface RulesActivation extends Activation {
  /** Those that came or went. */
  readonly rules: readonly Grant[];
}

interface Edit {
  readonly rules: readonly Grant[];
  readonly all: readonly Grant[];
  readonly change: Parameters<typeof activatePolicy>[2];
}

/** One writer at a time: what another has added meanwhile is kept. */
async function rewrite(
  own: Settings,
  by: string,
  edit: (known: readonly Grant[]) => Edit,
): Promise<RulesActivation> {
  // Rules go where the running stack reads them.
  const settings = withPolicyOf(readStack(own), own);
  const { always, folders } = settings;
  await mkdir(dirname(always), { recursive: true, mode: 0o700 });
  prepareStateFolder(folders.root);
  const lock = `${always}.lock`;
  await waitForLock(lock, patienceMs);
  try {
    const { grants: known } = (await readBundle(settings, null)).policy;
    const { rules, all, change } = edit(known);
    await writeAlways(always, all);
    try {
      return { ...(await activatePolicy(settings, by, change)), rules };
    } catch (error) {
      await writeAlways(always, known);
      throw error;
    }
  } finally {
    releaseLock(lock);
  }
}
