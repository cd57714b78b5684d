import { readSettings } from '../../config/environment.ts';
import { renderExposure, toWebUi } from '../../config/stack.ts';
import { defineCommand } from '../command.ts';
import { usageError } from '../errors.ts';
import { printJson, printProgress, printText } from '../render/output.ts';
import { ensureStack } from '../../client/stack/stack.ts';

/** `agent up`: starts the local stack and waits until Temporal answers. */
export const command = defineCommand({
  example: 'agent up',
  async run({ json }) {
    const settings = readSettings();
    if (settings.temporalAddress !== undefined) {
      throw usageError(
        `TEMPORAL_ADDRESS names a cluster (${settings.temporalAddress}), so there is no local stack to start. Unset it first.`,
      );
    }
    const stack = await ensureStack(settings, { onProgress: printProgress, strict: true });
    if (json) {
      const { temporal, namespace, pid, exposed } = stack;
      printJson({ temporal, namespace, webUi: toWebUi(stack), pid, exposed });
    } else {
      const webUi = toWebUi(stack);
      printText(`The local stack is up.${webUi === undefined ? '' : ` Web UI: ${webUi}`}`);
      if (stack.exposed !== undefined) printProgress(renderExposure(stack.exposed));
    }
    return 0;
  },
});
