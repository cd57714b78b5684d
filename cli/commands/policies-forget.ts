import { readSettings } from '../../config/environment.ts';
import { judgeAgain } from '../../client/policy/activate.ts';
import { defineCommand } from '../command.ts';
import { printJson, printProgress, printText } from '../render/output.ts';
import { forgetRule } from '../../client/policy/rules.ts';
import { readUser } from '../../client/connect.ts';

/** `agent policies forget`: removes a rule added by `approve --always`, for running runs too. Exit 2 if unknown. */
export const command = defineCommand({
  example: 'agent policies forget always-1',
  async run({ args, json }) {
    const settings = readSettings();
    const by = readUser();
    const [id = ''] = args;
    const { bundle, before } = await forgetRule(settings, id, by);
    const judged = await judgeAgain(settings, bundle.sha256, by, printProgress);
    if (json) {
      const previous = before?.sha256 ?? null;
      printJson({ removed: [id], sha256: bundle.sha256, previous, judged });
      return 0;
    }
    printText(`Forgot ${id}; in force is sha256 ${bundle.sha256.slice(0, 12)}….`);
    if (judged.length > 0)
      printText(`Waiting approvals are judged again in: ${judged.join(', ')}.`);
    return 0;
  },
});
