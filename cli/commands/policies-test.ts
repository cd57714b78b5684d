import { readSettings } from '../../config/environment.ts';
import { testPolicy } from '../../policies/examples.ts';
import { builtIn } from '../../tools/built-in.ts';
import { defineCommand } from '../command.ts';
import { toLine } from '../clean.ts';
import { printJson, printText } from '../render/output.ts';
import { readBundle } from '../../client/policy/bundle.ts';
import { plural } from '../render/render.ts';

/** `agent policies test`: runs the rules' examples. Exit 1 if one fails. */
export const command = defineCommand({
  example: 'agent policies test',
  async run({ json }) {
    const { policy, sha256 } = await readBundle(readSettings());
    const { examples, failures } = testPolicy(policy, builtIn.toSample);
    if (json) {
      printJson({ ok: failures.length === 0, sha256, examples, failures });
    } else {
      for (const { list, message } of failures) printText(`✗ ${list}: ${toLine(message, 500)}`);
      printText(`${examples - failures.length} of ${plural(examples, 'example')} passed.`);
    }
    return failures.length === 0 ? 0 : 1;
  },
});
