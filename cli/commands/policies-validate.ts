import { readSettings } from '../../config/environment.ts';
import { PolicyError, readPolicyBundle } from '../../config/policies.ts';
import { defineCommand } from '../command.ts';
import { stripControls } from '../clean.ts';
import { printJson, printProgress, printText } from '../render/output.ts';

/** `agent policies validate`: every mistake in the policy files, with position. Exit 78 if there is one. */
export const command = defineCommand({
  example: 'AGENT_POLICIES_DIR=./policies agent policies validate',
  async run({ json }) {
    const { policiesDir, policyPreset: preset, always, workspace } = readSettings();
    try {
      const bundle = await readPolicyBundle(policiesDir, { preset, always, workspace });
      const { dir, sha256, tightening } = bundle;
      if (json) printJson({ ok: true, dir, preset, sha256, problems: [] });
      else {
        const own = tightening === undefined ? '' : `, tightened by ${tightening.dir}`;
        printText(`The policy in ${dir}${own} is valid (preset ${preset}, sha256 ${sha256}).`);
      }
      return 0;
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      if (json) printJson({ ok: false, dir: error.dir, problems: error.problems });
      else printProgress(stripControls(error.message));
      return 78;
    }
  },
});
