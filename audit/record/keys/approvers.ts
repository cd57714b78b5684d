import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { replaceText, toTempName } from '../../../config/temporary.ts';
import { readTextIfAny } from '../once.ts';
import type { PublicKey, SigningKey } from './signing-key.ts';
import { ensureSigningKey, parsePublicKey } from './signing-key.ts';

/** The keys currently accepted. */
export type Approvers = () => readonly PublicKey[];

const writingMs = 500;
const pemBlock = /-----BEGIN PUBLIC KEY-----[\s\S]*?-----END PUBLIC KEY-----/g;

/**
 * Follows a file of concatenated PEM public keys, which may appear or grow at any time. No file, no approvers. Blocks
 * that are not Ed25519 keys are skipped, with one `warn` per version of the file. While the file is unreadable, the
 * last known keys stay valid.
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

/** Whether a key is an approver's. Checks twice, because a file being written briefly has fewer keys. */
export async function isApprover(approvers: Approvers, key: string): Promise<boolean> {
  const isKnown = (): boolean => approvers().some(({ id }) => id === key);
  if (isKnown()) return true;
  await setTimeout(writingMs);
  return isKnown();
}

/** The operator's own key, created on first use, with the public half beside it for workers. */
export async function ensureOperatorKey(keyFile: string): Promise<SigningKey> {
  const key = ensureSigningKey(keyFile);
  const file = toPublicFile(keyFile);
  const isThere = readTextIfAny(file) === key.pem;
  if (!isThere) await replaceText(join(dirname(file), toTempName()), file, key.pem);
  return key;
}

/** `operator.pem` → `operator.pub` */
export const toPublicFile = (keyFile: string): string => keyFile.replace(/\.pem$/, '.pub');
