import { readSettings } from '../../config/environment.ts';
import { prepareStateFolder } from '../../config/state-folder.ts';
import { activatePolicy, judgeAgain } from '../../client/policy/activate.ts';
import { defineCommand } from '../command.ts';
import { printJson, printProgress, printText } from '../render/output.ts';
import { readUser } from '../../client/connect.ts';

/**
 * `agent policies reload`: puts the policy folder in force on this machine, atomically. Running runs follow it from now
 * on, and pending approvals are judged again. Exit 78 if the folder is invalid.
 */
export const command = defineCommand({
  example: 'agent policies reload',
  async run({ json }) {
    const settings = readSettings();
    const by = readUser();
    prepareStateFolder(settings.folders.root);
    const activation = await activatePolicy(settings, by);
    const { bundle, before } = activation;
    const judged = await judgeAgain(settings, bundle.sha256, by, printProgress);
    const previous = before?.sha256;
    if (json) {
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
    if (judged.length > 0)
      printText(`Waiting approvals are judged again in: ${judged.join(', ')}.`);
    return 0;
  },
});
