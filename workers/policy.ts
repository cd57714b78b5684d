import type { AuditLog } from '../audit/record/log.ts';
import type { Settings } from '../config/environment.ts';
import { readForceRecord } from '../config/force-record.ts';
import type { PolicyBundle } from '../config/policies.ts';
import type { Log } from './logger.ts';

/** Finds the policy for tools. @throws PolicyError if a policy file is invalid. */
export type OpenPolicy = (
  settings: Settings,
  log: Log,
  audit: AuditLog,
) => Promise<() => Promise<PolicyBundle>>;

const follow = async (
  root: string,
  log: Log,
  known?: PolicyBundle,
): Promise<() => Promise<PolicyBundle>> => {
  const { followPolicy } = await import('../config/policy-in-force.ts');
  const report = (error: unknown): void =>
    log.error({ error }, 'the new policy cannot be read; the previous one stays in force');
  const inForce = await followPolicy(root, report, known);
  return () => inForce.current();
};

/**
 * For a worker: the policy in force, so that a restart mid-run changes nothing. Puts the operator's folder in force if
 * nothing is, if another folder was, or if the worker is unsupervised: then its start is the operator's decision.
 */
export const openPolicyInForce =
  (supervised: boolean): OpenPolicy =>
  async ({ folders: { root }, policiesDir: dir, policyPreset: preset, always }, log, audit) => {
    const { putInForce } = await import('../config/policy-in-force.ts');
    const record = readForceRecord(root);
    if (supervised && record?.dir === dir && record.preset === preset)
      return await follow(root, log);
    const { bundle, before } = await putInForce(root, { dir, preset, always }, 'start');
    if (before?.sha256 !== bundle.sha256)
      await audit.append({
        kind: 'policy',
        time: new Date().toISOString(),
        by: 'start',
        sha256: bundle.sha256,
        dir: bundle.dir,
      });
    return await follow(root, log, bundle);
  };

/** For a call by hand: the policy in force for this folder, or the folder as it is. Puts nothing in force. */
export const openPolicyByHand: OpenPolicy = async (
  { folders: { root }, policiesDir: dir, policyPreset: preset, always },
  log,
) => {
  const record = readForceRecord(root);
  if (record?.dir === dir && record.preset === preset) return await follow(root, log);
  const { readPolicyBundle } = await import('../config/policies.ts');
  const bundle = await readPolicyBundle(dir, { preset, always });
  return () => Promise.resolve(bundle);
};
