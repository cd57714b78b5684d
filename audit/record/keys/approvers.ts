import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { replaceText, toTempName } from '../../../config/temporary.ts';
import { readTextIfAny } from '../once.ts';
import type { PublicKey, SigningKey } from './signing-key.ts';
import { ensureSigningKey, parsePublicKey } from './signing-key.ts';

/** The keys whose answers count, as of now. */
export type Approvers = () => readonly PublicKey[];

const writingMs = 500;
const pemBlock = /-----BEGIN PUBLIC KEY-----[\s\S]*?-----END PUBLIC KEY-----/g;

/**
 * Follows a file of public keys in PEM, one after another: it may be made, or get more keys, at any time. No file, no approver.
 * A block that is no Ed25519 key is passed over, and `warn` told once for each version of the file. While the file cannot be
 * read, the keys it had count.
 */
export function followApprovers(file: string, warn: (why: string) => void): Approvers {
  let seen = '';
  let keys: readonly PublicKey[] = [];
  return () => {
    const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
    const now =
      stat === undefined ? '' : `${stat.ino} ${stat.mtimeNs} ${stat.ctimeNs} ${stat.size}`;
    if (now === seen) return keys;
    seen = now;
    try {
      keys = parseApprovers(readTextIfAny(file) ?? '', (why) => warn(`${file}: ${why}`));
    } catch (error) {
      warn(`${file} cannot be read (${(error as Error).message}); the keys it had count.`);
    }
    return keys;
  };
}

/** The keys of a file of approvers. */
function parseApprovers(text: string, warn: (why: string) => void): PublicKey[] {
  return (text.match(pemBlock) ?? []).flatMap((pem, index) => {
    try {
      return parsePublicKey(pem);
    } catch (error) {
      warn(
        `key ${index + 1} is ignored (${(error as Error).message}). Expected Ed25519 public keys in PEM.`,
      );
      return [];
    }
  });
}

/** Whether a key is an approver's; looked at twice, since a file that is being written has fewer keys for a moment. */
export async function isApprover(approvers: Approvers, key: string): Promise<boolean> {
  const isKnown = (): boolean => approvers().some(({ id }) => id === key);
  if (isKnown()) return true;
  await setTimeout(writingMs);
  return isKnown();
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
