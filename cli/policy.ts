import type { Settings } from '../config/environment.ts';
import type { PolicyBundle } from '../config/policies.ts';
import { CliError } from './errors.ts';

/** What runs go by; the operator's folder, where nothing of it is in force. @throws CliError exit 78 */
export async function readInForce(settings: Settings): Promise<PolicyBundle> {
  const { followPolicy, readForceRecord } = await import('../config/policy-in-force.ts');
  const { root } = settings.folders;
  if (readForceRecord(root)?.dir !== settings.policiesDir) return await readBundle(settings);
  return await (await followPolicy(root, () => undefined)).current();
}

/** The bundle of the operator's policy folder. @throws CliError exit 78 with everything that is wrong with it. */
export async function readBundle({ policiesDir }: Settings): Promise<PolicyBundle> {
  const { PolicyError, readPolicyBundle } = await import('../config/policies.ts');
  try {
    return await readPolicyBundle(policiesDir);
  } catch (error) {
    throw error instanceof PolicyError ? new CliError(error.message, 78) : error;
  }
}
