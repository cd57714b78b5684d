import { KeyFileError } from '../audit/record/keys/payload-keys.ts';
import { ConfigError } from '../config/environment.ts';
import { PolicyError } from '../config/policies.ts';

/**
 * Ends the process with exit 78 and the plain message when what the operator set is the reason; throws on otherwise.
 * The supervisor shows the message's last line and tells this from a crash by the code.
 */
export function exitForConfiguration(error: unknown): never {
  const known = [ConfigError, PolicyError, KeyFileError].some((kind) => error instanceof kind);
  if (!(error instanceof Error) || !known) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(78);
}
