import { printProgress } from '../render/output.ts';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readSettings } from '../../config/environment.ts';
import type { StackFile } from '../../config/stack.ts';
import { defineCommand } from '../command.ts';
import { usageError } from '../errors.ts';
import { ensureStack } from '../../client/stack/stack.ts';

/**
 * `agent temporal -- …`: runs the Temporal CLI on the local stack, which is not reachable otherwise. Same exit code.
 */
export const command = defineCommand({
  example: 'agent temporal -- workflow list',
  async run({ args }) {
    const settings = readSettings();
    if (settings.temporalAddress !== undefined) {
      throw usageError(
        `TEMPORAL_ADDRESS names a cluster (${settings.temporalAddress}): use the Temporal CLI itself, or unset it.`,
      );
    }
    const stack = await ensureStack(settings, { onProgress: printProgress });
    const shell = fileURLToPath(new URL('../../workers/stack/temporal-shell.ts', import.meta.url));
    const child = spawn(process.execPath, [shell, ...args], {
      env: { ...process.env, ...toTemporalEnvironment(stack) },
      stdio: 'inherit',
    });
    // Ctrl-C reaches the program directly.
    process.on('SIGINT', () => undefined);
    return await new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code) => resolve(code ?? 130));
    });
  },
});

/** The Temporal CLI's environment, with a codec if payloads are encrypted. */
const toTemporalEnvironment = ({
  temporal,
  namespace,
  webUi,
  tokenFile = '',
}: StackFile): Record<string, string> => ({
  TEMPORAL_ADDRESS: temporal,
  TEMPORAL_NAMESPACE: namespace,
  TEMPORAL_CODEC_ENDPOINT: `${webUi}/codec`,
  TEMPORAL_CODEC_AUTH: `Bearer ${readFileSync(tokenFile, 'utf8').trim()}`,
});
