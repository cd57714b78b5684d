import type { Settings } from '../../config/environment.ts';
import { readForceRecord } from '../../config/force-record.ts';
import type { PolicyBundle } from '../../config/policies.ts';
import { ClientError } from '../errors.ts';

/** The policy runs in the workspace follow; the operator's folder if none is in force. @throws ClientError */
export async function readInForce(settings: Settings): Promise<PolicyBundle> {
  const [{ followPolicy }, { PolicyError, tightenBundle }] = await Promise.all([
    import('../../config/policy-in-force.ts'),
    import('../../config/policies.ts'),
  ]);
  const { root } = settings.folders;
  if (readForceRecord(root)?.dir !== settings.policiesDir) return await readBundle(settings);
  const bundle = await (await followPolicy(root, () => undefined)).current();
  try {
    return tightenBundle(bundle, settings.workspace);
  } catch (error) {
    throw error instanceof PolicyError ? new ClientError(error.message, 'configuration') : error;
  }
}

/**
 * The operator's bundle, tightened by the workspace's own files (null: no workspace). @throws ClientError with every
 * mistake in them.
 */
export async function readBundle(
  { policiesDir, policyPreset: preset, always, workspace: folder }: Settings,
  workspace: string | null = folder,
): Promise<PolicyBundle> {
  const { PolicyError, readPolicyBundle } = await import('../../config/policies.ts');
  try {
    return await readPolicyBundle(policiesDir, {
      preset,
      always,
      workspace: workspace === null ? undefined : workspace,
    });
  } catch (error) {
    throw error instanceof PolicyError ? new ClientError(error.message, 'configuration') : error;
  }
}
