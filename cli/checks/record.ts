import { existsSync } from 'node:fs';
import { KeyFileError, readPayloadKeys } from '../../audit/record/keys/payload-keys.ts';
import { verifyState } from '../../audit/verify/verify.ts';
import type { Settings } from '../../config/environment.ts';
import { PolicyError, readPolicyBundle } from '../../config/policies.ts';
import { readForceRecord } from '../../config/force-record.ts';
import { testPolicy } from '../../policies/examples.ts';
import { builtIn } from '../../tools/built-in.ts';
import type { Check } from './check.ts';
import { fail, ok, warn } from './check.ts';
import { plural } from '../render/render.ts';

/** Checks that the policy files are valid and that their examples pass. */
export async function checkPolicies({
  policiesDir,
  policyPreset: preset,
  always,
  workspace,
  folders,
}: Settings): Promise<Check[]> {
  const name = 'policies';
  try {
    const { policy, sha256, dir } = await readPolicyBundle(policiesDir, {
      preset,
      always,
      workspace,
    });
    const { examples, failures } = testPolicy(policy, builtIn.toSample);
    if (failures.length > 0)
      return [
        fail(
          name,
          `${failures.length} of ${plural(examples, 'example')} failed`,
          'agent policies test',
        ),
      ];
    const inForce = readForceRecord(folders.root);
    const own = await readPolicyBundle(policiesDir, { preset, always });
    if (inForce?.dir === dir && inForce.sha256 !== own.sha256)
      return [warn(name, `${dir} was changed but is not in force yet`, 'agent policies reload')];
    return [
      ok(name, `${dir}, sha256 ${sha256.slice(0, 12)}…, ${plural(examples, 'example')} passed`),
    ];
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return [
      fail(
        name,
        `${plural(error.problems.length, 'problem')} in ${error.dir}`,
        'agent policies validate',
      ),
    ];
  }
}

/** Checks whether Temporal's history is encrypted and the keys are usable. */
export function checkEncryption({ payloadKeys, origins }: Settings): Check[] {
  const name = 'encryption';
  if (payloadKeys === undefined)
    return [
      warn(
        name,
        'off: anyone who can read the cluster can read goals and messages',
        'Set AGENT_PAYLOAD_KEYS: docs/operations.md, "Encryption".',
      ),
    ];
  if (origins.payloadKeys === 'default' && !existsSync(payloadKeys))
    return [ok(name, `on; the key is made at the first start, in ${payloadKeys}`)];
  try {
    const { active, ids } = readPayloadKeys(payloadKeys);
    const older = ids.length === 1 ? '' : `, ${ids.length - 1} older to read with`;
    return [ok(name, `with key ${active.id} of ${payloadKeys}${older}`)];
  } catch (error) {
    if (!(error instanceof KeyFileError)) throw error;
    return [fail(name, error.message, 'See docs/operations.md, "Encryption".')];
  }
}

/** Verifies every chain of the record. */
export async function checkAudit({ folders }: Settings): Promise<Check[]> {
  const { files, records, findings } = await verifyState(folders.root);
  return findings.length === 0
    ? [ok('record', `${plural(records, 'record')} in ${plural(files, 'file')} verified`)]
    : [fail('record', plural(findings.length, 'finding'), 'agent audit verify')];
}
