/** The keys that Temporal's payloads are encrypted with. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import type { Settings } from '../../../config/environment.ts';
import { writeOnce } from '../once.ts';

export interface PayloadKeys {
  readonly file: string;
  /** What is written is encrypted with it. */
  readonly active: { readonly id: string; readonly key: Buffer };
  /** Names of all keys, the active one first. */
  readonly ids: readonly string[];
  find(id: string): Buffer | undefined;
}

/** The file of keys cannot be used; the message says why and what to do. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError';
  readonly exitCode = 78;
}

const keyBytes = 32;
const line = /^([\w.-]{1,64})[ \t]+([A-Za-z0-9+/]{43}=)$/;

/**
 * Reads a file of keys: a line `<name> <32 bytes in base64>` for each, the active one first; older ones below it are
 * for what they once encrypted. Empty lines and those that begin with # do not count.
 * @throws KeyFileError when it is not such a file, or others may read it.
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
 * The keys of the settings; undefined where there are none: none named, and none made yet.
 * @throws KeyFileError when the file cannot be used.
 */
export const findPayloadKeys = ({ payloadKeys: file, origins }: Named): PayloadKeys | undefined =>
  file === undefined || (origins.payloadKeys === 'default' && !existsSync(file))
    ? undefined
    : readPayloadKeys(file);

/**
 * Makes a file with a key where the operator named none and there is none yet. Of two processes that make it at once, one
 * wins. @throws KeyFileError when it cannot be made.
 */
export function ensurePayloadKeys({ payloadKeys: file, origins }: Named): void {
  if (file === undefined || origins.payloadKeys !== 'default' || existsSync(file)) return;
  // A name of its own: who meets it without the key is told so, and not that another key of that name is wrong.
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
