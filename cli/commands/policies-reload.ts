import { createAuditLog } from '../../audit/log.ts';
import { readSettings } from '../../config/environment.ts';
import type { Settings } from '../../config/environment.ts';
import { prepareStateFolder } from '../../config/state-folder.ts';
import { PolicyError } from '../../config/policies.ts';
import { putInForce } from '../../config/policy-in-force.ts';
import type { Activation } from '../../config/policy-in-force.ts';
import { policyChanged } from '../../workflows/contract.ts';
import type { Invocation } from '../arguments.ts';
import { CliError } from '../errors.ts';
import { printJson, printText } from '../output.ts';
import { connectRunning, readUser, withClient } from '../session.ts';

/**
 * `agent policies reload`: puts the policy folder in force on this machine, all of it or nothing. Decisions of running runs go
 * by it from now on, and what waits for approval is judged again. Exit 78 when the folder has a mistake.
 */
export async function reloadPolicies({ flags }: Invocation): Promise<number> {
  const settings = readSettings();
  const by = readUser();
  prepareStateFolder(settings.folders.root);
  const activation = await activate(settings, by);
  const { bundle, before } = activation;
  const judged = await judgeAgain(settings, bundle.sha256, by);
  const previous = before?.sha256;
  if (flags['json'] === true) {
    printJson({ sha256: bundle.sha256, dir: bundle.dir, previous: previous ?? null, judged });
    return 0;
  }
  const was =
    previous === undefined
      ? ''
      : previous === bundle.sha256
        ? ', as before'
        : ` (was ${previous.slice(0, 12)}…)`;
  printText(
    `The policy in ${bundle.dir} is in force: sha256 ${bundle.sha256.slice(0, 12)}…${was}.`,
  );
  if (judged.length > 0) printText(`Waiting approvals are judged again in: ${judged.join(', ')}.`);
  return 0;
}

async function activate(
  { folders, policiesDir: dir, policyPreset: preset }: Settings,
  by: string,
): Promise<Activation> {
  let activation: Activation;
  try {
    activation = await putInForce(folders.root, { dir, preset }, by);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    throw new CliError(`${error.message}\nNothing has changed.`, 78);
  }
  const { bundle, before } = activation;
  const audit = createAuditLog(folders.audit);
  await audit.append({
    ...{ kind: 'policy', time: new Date().toISOString(), by },
    ...{ sha256: bundle.sha256, dir: bundle.dir },
    ...(before === undefined ? {} : { previous: before.sha256 }),
  });
  await audit.close();
  return activation;
}

/** Tells every run that waits for an approval. Returns their names. */
async function judgeAgain(settings: Settings, sha256: string, by: string): Promise<string[]> {
  const client = await connectRunning(settings);
  if (client === undefined) return [];
  return await withClient(client, async () => {
    const told: string[] = [];
    for (const run of await client.listWaiting())
      if (await client.signal(run, policyChanged, sha256, by)) told.push(run);
    return told;
  });
}
