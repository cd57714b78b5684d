import { KeyFileError } from '../audit/record/keys/payload-keys.ts';
import { ConfigError } from '../config/environment.ts';
import { PolicyError } from '../config/policies.ts';

/**
 * If the operator's settings are to blame, exits with 78 and the plain message; otherwise rethrows. The supervisor
 * shows the last line and tells this from a crash by the exit code.
 */
export function exitForConfiguration(error: unknown): never {
  const known = [ConfigError, PolicyError, KeyFileError].some((kind) => error instanceof kind);
  if (!(error instanceof Error) || !known) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(78);
}
