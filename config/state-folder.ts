import { accessSync, chmodSync, constants, mkdirSync, statSync } from 'node:fs';
import { ConfigError } from './environment.ts';

/**
 * Creates the state folder if needed, readable by its owner only. @throws ConfigError if it cannot be created or
 * written.
 */
export function prepareStateFolder(root: string): void {
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    accessSync(root, constants.R_OK | constants.W_OK | constants.X_OK);
    if ((statSync(root).mode & 0o077) !== 0) chmodSync(root, 0o700);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ConfigError([
      `AGENT_STATE_DIR must be a folder you can write, got ${JSON.stringify(root)} (${code ?? message}). ` +
        'Choose another with AGENT_STATE_DIR=<folder>.',
    ]);
  }
}
