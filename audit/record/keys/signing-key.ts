import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { writeOnce } from '../once.ts';

/** Verifies signatures by one Ed25519 key. */
export interface PublicKey {
  /** First 16 hex digits of the key's sha256. */
  readonly id: string;
  /** SPKI, PEM. */
  readonly pem: string;
  isSigned(text: string, signature: string): boolean;
}

export interface SigningKey extends PublicKey {
  /** Base64. */
  sign(text: string): string;
}

/** Path of a key: beside the operator's configuration, not in the state folder it protects. */
export const toKeyFile = (
  env: Readonly<Record<string, string | undefined>> = process.env,
  name: 'audit' | 'operator' = 'audit',
): string => {
  const config = env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config');
  return join(config, 'dev-agent', 'keys', `${name}.pem`);
};

const toKey = (key: KeyObject): PublicKey => ({
  id: createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 16),
  pem: key.export({ type: 'spki', format: 'pem' }).toString(),
  isSigned: (text, signature) =>
    verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64')),
});

/** @throws Error if the text is not an Ed25519 public key. */
export const parsePublicKey = (pem: string): PublicKey => {
  const key = createPublicKey(pem);
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new Error(`The key is of type ${key.asymmetricKeyType}, expected ed25519.`);
  }
  return toKey(key);
};

/** The key in a file; undefined if there is no file. @throws Error if the file holds something else. */
export const readSigningKey = (file: string): SigningKey | undefined => {
  let pem: string;
  try {
    pem = readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
  try {
    const secret = createPrivateKey(pem);
    return {
      ...parsePublicKey(secret.export({ type: 'pkcs8', format: 'pem' }).toString()),
      sign: (text) => sign(null, Buffer.from(text), secret).toString('base64'),
    };
  } catch (error) {
    throw new Error(
      `${file} holds no Ed25519 private key (${(error as Error).message}). ` +
        'Put the right one back, or move the file away: a new key is made then, and old signatures no longer verify.',
      { cause: error },
    );
  }
};

/** The key in a file, created on first use; of two concurrent processes, one wins and both use its key. */
export const ensureSigningKey = (file: string): SigningKey => {
  const found = readSigningKey(file);
  if (found !== undefined) return found;
  const { privateKey } = generateKeyPairSync('ed25519');
  writeOnce(file, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const made = readSigningKey(file);
  if (made === undefined) throw new Error(`${file} was made and is gone. Check its folder.`);
  return made;
};
