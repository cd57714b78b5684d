import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { replaceText, toTempName } from '../config/temporary.ts';
import { readTextIfAny } from './once.ts';
import type { PublicKey, SigningKey } from './signing-key.ts';
import { ensureSigningKey, parsePublicKey } from './signing-key.ts';

/** The keys whose answers count, as of now. */
export type Approvers = () => readonly PublicKey[];

const pemBlock = /-----BEGIN PUBLIC KEY-----[\s\S]*?-----END PUBLIC KEY-----/g;

/**
 * Follows a file of public keys in PEM, one after another: it may be made, or get more keys, at any time. No file, no approver.
 * @throws Error when a key in it is no Ed25519 key.
 */
export function followApprovers(file: string): Approvers {
  let seen = '';
  let keys: readonly PublicKey[] = [];
  return () => {
    const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
    const now = stat === undefined ? '' : `${stat.ino} ${stat.mtimeNs} ${stat.size}`;
    if (now !== seen) {
      keys = now === '' ? [] : readPublicKeys(file);
      seen = now;
    }
    return keys;
  };
}

function readPublicKeys(file: string): PublicKey[] {
  const blocks = readFileSync(file, 'utf8').match(pemBlock) ?? [];
  return blocks.map((pem) => {
    try {
      return parsePublicKey(pem);
    } catch (error) {
      throw new Error(
        `${file} has a key that cannot be used (${(error as Error).message}). Expected Ed25519 public keys in PEM.`,
        { cause: error },
      );
    }
  });
}

/** The operator's own key, made on first use with its public half beside it, which is all that a worker reads. */
export async function ensureOperatorKey(keyFile: string): Promise<SigningKey> {
  const key = ensureSigningKey(keyFile);
  const file = toPublicFile(keyFile);
  const isThere = readTextIfAny(file) === key.pem;
  if (!isThere) await replaceText(join(dirname(file), toTempName()), file, key.pem);
  return key;
}

/** `operator.pem` → `operator.pub` */
export const toPublicFile = (keyFile: string): string => keyFile.replace(/\.pem$/, '.pub');
