import { readSettings } from '../../config/environment.ts';
import type { Invocation } from '../arguments.ts';
import { usageError } from '../errors.ts';
import { printJson, printText } from '../output.ts';
import { printProgress } from '../session.ts';
import { ensureStack } from '../stack.ts';

/** `agent up`: starts the local stack and waits until Temporal answers. */
export async function startStack({ flags }: Invocation): Promise<number> {
  const settings = readSettings();
  if (settings.temporalAddress !== undefined) {
    throw usageError(
      `TEMPORAL_ADDRESS names a cluster (${settings.temporalAddress}), so there is no local stack to start. Unset it first.`,
    );
  }
  const stack = await ensureStack(settings, { onProgress: printProgress, strict: true });
  if (flags['json'] === true) {
    const { temporal, namespace, webUi, pid } = stack;
    printJson({ temporal, namespace, webUi, pid });
  } else printText(`The local stack is up. Web UI: ${stack.webUi}`);
  return 0;
}
