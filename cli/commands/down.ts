import { readSettings } from '../../config/environment.ts';
import { defineCommand } from '../command.ts';
import { printJson, printText } from '../render/output.ts';
import { stopStack as endStack } from '../../client/stack/stack.ts';

/** `agent down`: stops the local stack. Open runs continue at the next start. */
export const command = defineCommand({
  example: 'agent down',
  async run({ json }) {
    const { wasRunning } = await endStack(readSettings());
    if (json) printJson({ wasRunning });
    else {
      printText(
        wasRunning
          ? 'The local stack is stopped; open runs continue at the next start.'
          : 'The local stack was not running.',
      );
    }
    return 0;
  },
});
