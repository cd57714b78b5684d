import { closeSync, constants, fstatSync, openSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { pickSecrets } from '../../policies/secrets/values.ts';
import type { SecretValue } from '../../policies/secrets/values.ts';

const largestBytes = 262_144;
// Non-blocking: opening a FIFO would wait forever for a writer.
const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Reads the secrets in `.env` files at the top of workspaces; rereads a file only when it changed. */
export function createDotenvReader(): (root: string) => readonly SecretValue[] {
  const seen = new Map<string, string>();
  const read = (file: string): readonly SecretValue[] => {
    const fd = openSync(file, flags);
    try {
      const stat = fstatSync(fd);
      const version = `${stat.ino}/${stat.size}/${stat.mtimeMs}`;
      if (!stat.isFile() || stat.size > largestBytes || seen.get(file) === version) return [];
      seen.set(file, version);
      return pickSecrets(parseEnv(readFileSync(fd, 'utf8')));
    } finally {
      closeSync(fd);
    }
  };
  return (root) =>
    readdirSync(root)
      .filter((name) => /^\.env(?:rc|\..+)?$/.test(name))
      .flatMap((name) => {
        try {
          return read(join(root, name));
        } catch {
          return []; // A link, or gone in between: nobody shows what is in it either.
        }
      });
}
