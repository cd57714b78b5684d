/** The encryption keys for Temporal payloads. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import type { Settings } from '../../../config/environment.ts';
import { writeOnce } from '../once.ts';

export interface PayloadKeys {
  readonly file: string;
  /** Encrypts everything written. */
  readonly active: { readonly id: string; readonly key: Buffer };
  /** All key names, the active one first. */
  readonly ids: readonly string[];
  find(id: string): Buffer | undefined;
}

/** The key file is unusable; the message says why and what to do. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError';
  readonly exitCode = 78;
}

const keyBytes = 32;
const line = /^([\w.-]{1,64})[ \t]+([A-Za-z0-9+/]{43}=)$/;

/**
 * Reads a key file: one line `<name> <32 bytes in base64>` per key, the active one first, older ones below for
 * decryption. Empty lines and lines starting with # are ignored. @throws KeyFileError if it is malformed or readable by
 * others.
 */
export function readPayloadKeys(file: string): PayloadKeys {
  const keys = new Map<string, Buffer>();
  for (const [index, text] of readPrivate(file).split('\n').entries()) {
    if (text.trim() === '' || text.startsWith('#')) continue;
    const [, id, encoded] = line.exec(text.trim()) ?? [];
    const where = `${file}, line ${index + 1}`;
    if (id === undefined || encoded === undefined) {
      throw new KeyFileError(
        `${where} must be a name, a space and ${keyBytes} bytes in base64. Make one with: echo "k1 $(openssl rand -base64 ${keyBytes})"`,
      );
    }
    if (keys.has(id)) throw new KeyFileError(`${where}: there is a key "${id}" above it already.`);
    keys.set(id, Buffer.from(encoded, 'base64'));
  }
  const [first] = keys;
  if (first === undefined) {
    throw new KeyFileError(
      `${file} holds no key. Make one with: echo "k1 $(openssl rand -base64 ${keyBytes})" > ${file}`,
    );
  }
  return {
    file,
    active: { id: first[0], key: first[1] },
    ids: [...keys.keys()],
    find: (id) => keys.get(id),
  };
}

type Named = Pick<Settings, 'payloadKeys' | 'origins'>;

/**
 * The configured keys; undefined if none were named and none exist yet. @throws KeyFileError if the file is unusable.
 */
export const findPayloadKeys = ({ payloadKeys: file, origins }: Named): PayloadKeys | undefined =>
  file === undefined || (origins.payloadKeys === 'default' && !existsSync(file))
    ? undefined
    : readPayloadKeys(file);

/**
 * Creates a key file if the operator named none and none exists. Of two concurrent processes, one wins. @throws
 * KeyFileError if it cannot be created.
 */
export function ensurePayloadKeys({ payloadKeys: file, origins }: Named): void {
  if (file === undefined || origins.payloadKeys !== 'default' || existsSync(file)) return;
  // A unique name: whoever lacks the key learns that it is missing, not that a key of that name is wrong.
  const name = `k-${randomBytes(4).toString('hex')}`;
  try {
    const made = writeOnce(file, `${name} ${randomBytes(keyBytes).toString('base64')}\n`);
    if (!made && !existsSync(file)) throw new Error('it is a link that leads nowhere');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new KeyFileError(
      `The key that Temporal's history is encrypted with cannot be made in ${file}: ${code ?? message}. ` +
        'Make the folder writable, or name a file of keys with AGENT_PAYLOAD_KEYS=<file>.',
    );
  }
}

function readPrivate(file: string): string {
  try {
    if ((statSync(file).mode & 0o077) !== 0) {
      throw new KeyFileError(`${file} holds keys and others may read it. Run: chmod 600 ${file}`);
    }
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof KeyFileError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw new KeyFileError(`The keys in ${file} cannot be read: ${code ?? message}.`);
  }
}
