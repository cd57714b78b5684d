import { readSettings } from '../../config/environment.ts';
import { defineCommand } from '../command.ts';
import { stripControls } from '../clean.ts';
import { printJson, printText } from '../render/output.ts';
import { readInForce } from '../../client/policy/bundle.ts';

/** `agent policies show`: the bundle in force as written, and its sha256 as used in the record. */
export const command = defineCommand({
  example: 'agent policies show',
  async run({ json }) {
    const { dir, sha256, files, preset, tightening } = await readInForce(readSettings());
    if (json) printJson({ dir, preset, sha256, files, tightening });
    else {
      printText(`# ${dir}\n# preset ${preset}\n# sha256 ${sha256}`);
      for (const [name, text] of Object.entries(files)) {
        printText(`\n# ---- ${name}.yaml\n${stripControls(text)}`);
      }
      for (const [name, text] of Object.entries(tightening?.files ?? {})) {
        printText(`\n# ---- ${tightening?.dir}/${name}.yaml\n${stripControls(text)}`);
      }
    }
    return 0;
  },
});
