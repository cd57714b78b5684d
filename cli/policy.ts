import type { Settings } from '../config/environment.ts';
import type { PolicyBundle } from '../config/policies.ts';
import { CliError } from './errors.ts';

/** The bundle of the operator's policy folder. @throws CliError exit 78 with everything that is wrong with it. */
export async function readBundle({ policiesDir }: Settings): Promise<PolicyBundle> {
  const { PolicyError, readPolicyBundle } = await import('../config/policies.ts');
  try {
    return await readPolicyBundle(policiesDir);
  } catch (error) {
    throw error instanceof PolicyError ? new CliError(error.message, 78) : error;
  }
}
