/** Puts the operator's policy in force and notifies waiting runs. */
import { createAuditLog } from '../../audit/record/log.ts';
import type { AuditEntry } from '../../audit/record/log.ts';
import type { Settings } from '../../config/environment.ts';
import { PolicyError } from '../../config/policies.ts';
import { putInForce } from '../../config/policy-in-force.ts';
import type { Activation } from '../../config/policy-in-force.ts';
import { policyChanged } from '../../workflows/contract.ts';
import { ClientError } from '../errors.ts';
import { prove } from '../messages.ts';
import { connectRunning, withClient } from '../connect.ts';
import { readStack } from '../stack/file.ts';
import { withPolicyOf } from '../stack/settings.ts';

/** Ids of the rules added to or removed from `always.yaml`. */
export type RulesChange = Pick<Extract<AuditEntry, { kind: 'policy' }>, 'added' | 'removed'>;

/** All or nothing, recorded in the audit log. @throws ClientError with every mistake. */
export async function activatePolicy(
  settings: Settings,
  by: string,
  change: RulesChange = {},
): Promise<Activation> {
  const { folders } = settings;
  const source = withPolicyOf(readStack(settings), settings);
  const { policiesDir: dir, policyPreset: preset, always } = source;
  let activation: Activation;
  try {
    activation = await putInForce(folders.root, { dir, preset, always }, by);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    throw new ClientError(`${error.message}\nNothing has changed.`, 'configuration');
  }
  const { bundle, before } = activation;
  const audit = createAuditLog(folders.audit);
  await audit.append({
    kind: 'policy',
    time: new Date().toISOString(),
    by,
    sha256: bundle.sha256,
    dir: bundle.dir,
    ...change,
    previous: before?.sha256,
  });
  await audit.close();
  return activation;
}

/** Makes every run waiting for an approval judge it again. Returns their names. */
export async function judgeAgain(
  settings: Settings,
  sha256: string,
  by: string,
  onProgress: (line: string) => void,
): Promise<string[]> {
  const client = await connectRunning(settings);
  if (client === undefined) return [];
  return await withClient(client, async () => {
    const told: string[] = [];
    const tell = async (run: string): Promise<void> => {
      const message = { what: 'policyChanged', by, about: sha256 } as const;
      const proof = await prove(client, run, message, onProgress);
      if (await client.signal(run, policyChanged, sha256, by, proof)) told.push(run);
    };
    for (const run of await client.listWaiting()) {
      try {
        await tell(run);
      } catch (error) {
        // The policy is in force all the same: that is what was asked for.
        if (!(error instanceof ClientError)) throw error;
        onProgress(`Run ${run} was not told: ${error.message}`);
      }
    }
    return told;
  });
}
