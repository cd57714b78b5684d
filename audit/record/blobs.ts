import { createHash } from 'node:crypto';
import {
  closeSync,
  fdatasync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { removeLeftTemps, toTempName } from '../../config/temporary.ts';

import { formRedactor } from '../../policies/secrets/redaction.ts';
import type { Mask } from '../../policies/secrets/redaction.ts';
import { ifThere } from './missing.ts';

/**
 * Content-addressed store: each blob is written once, under its sha256, and checked on every read. Secrets are redacted
 * before writing, so the ref is that of the redacted text.
 */
export interface BlobStore {
  /**
   * Returns `sha256:<64 hex>`; durable (fsync) when it resolves. Storing the same bytes again costs one stat. `mask`:
   * pass `asStored` for text that is already redacted.
   */
  put(content: string | Uint8Array, mask?: Mask): Promise<string>;
  /** Moves a finished file in, for content too large for memory and free of secrets. `sha256` is the file's, in hex. */
  adopt(file: string, sha256: string): Promise<string>;
  /** @throws BlobError if the blob is missing or its bytes do not hash to the ref. */
  get(ref: string): Promise<Buffer>;
  getText(ref: string): Promise<string>;
  /** Unchecked cast: this program wrote the blob, and its hash was verified. */
  getJson<T>(ref: string): Promise<T>;
  putJson(value: unknown): Promise<string>;
  /** Path of the blob's file, which may not exist. */
  pathOf(ref: string): string;
}

export class BlobError extends Error {
  override readonly name = 'BlobError';
}

const refPattern = /^sha256:([0-9a-f]{64})$/;

/** True for text in the form of a ref, whether or not the blob exists. */
export const isRef = (text: string): boolean => refPattern.test(text);

export const hashOf = (content: string | Uint8Array): string =>
  createHash('sha256').update(content).digest('hex');

const smallBytes = 262_144;

/** True if the blob exists. Renews its age, so that a running sweep does not take it for an orphan. */
function touch(file: string): boolean {
  const now = new Date();
  const touched = ifThere(() => {
    utimesSync(file, now, now);
    return true;
  });
  return touched === true;
}

const sync = promisify(fdatasync);

/** Where blobs are written first, so that a killed process's leftovers are found without scanning the store. */
const toTempFolder = (root: string): string => join(root, 'tmp');

/**
 * Synchronous calls: seven hops through the thread pool cost more than the disk. Only the wait for the disk uses the
 * pool, so that other runs go on meanwhile.
 */
async function writeSmall(temp: string, content: string | Uint8Array): Promise<void> {
  const fd = openNew(temp);
  try {
    writeFileSync(fd, content);
    await sync(fd);
  } finally {
    closeSync(fd);
  }
}

const openNew = (temp: string): number => inFolderOf(temp, () => openSync(temp, 'wx', 0o600));

/** Does `work`, making the file's folder if it fails for lack of it. */
function inFolderOf<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    return work();
  }
}

async function writeLarge(temp: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(temp), { recursive: true, mode: 0o700 });
  const handle = await open(temp, 'wx', 0o600);
  try {
    await handle.writeFile(content);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

const moveIn = (temp: string, file: string): void => inFolderOf(file, () => renameSync(temp, file));

async function write(root: string, file: string, content: string | Uint8Array): Promise<void> {
  if (touch(file)) return;
  const temp = join(toTempFolder(root), toTempName());
  try {
    await (content.length <= smallBytes ? writeSmall(temp, content) : writeLarge(temp, content));
    moveIn(temp, file);
  } catch (error) {
    rmSync(temp, { force: true });
    throw error;
  }
}

/** Removes half-written blobs of killed processes. */
export const removeLeftBlobs = (root: string): void => removeLeftTemps(toTempFolder(root));

/** Decoded as one character per byte, so that binary content survives. */
function withoutSecrets({ mask }: Mask, content: string | Uint8Array): string | Uint8Array {
  if (typeof content === 'string') return mask(content);
  const text = Buffer.from(content.buffer, content.byteOffset, content.length).toString('latin1');
  const masked = mask(text);
  return masked === text ? content : Buffer.from(masked, 'latin1');
}

/** `root` is created with the first blob. `redactor` defaults to redaction by form. */
export const createBlobStore = (root: string, redactor: Mask = formRedactor): BlobStore => {
  const pathOf = (ref: string): string => {
    const hex = refPattern.exec(ref)?.[1];
    if (hex === undefined) {
      throw new BlobError(`"${ref}" is not a blob reference; expected sha256: and 64 hex digits.`);
    }
    return join(root, 'sha256', hex.slice(0, 2), hex.slice(2));
  };

  const store: BlobStore = {
    pathOf,
    async put(given, mask = redactor) {
      const content = withoutSecrets(mask, given);
      const ref = `sha256:${hashOf(content)}`;
      const file = pathOf(ref);
      await write(root, file, content);
      return ref;
    },
    async adopt(file, sha256) {
      const ref = `sha256:${sha256}`;
      const target = pathOf(ref);
      await mkdir(dirname(target), { recursive: true, mode: 0o700 });
      const handle = await open(file, 'r');
      await handle.datasync().finally(() => handle.close());
      await rename(file, target);
      return ref;
    },
    async get(ref) {
      const file = pathOf(ref);
      const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
        throw new BlobError(
          `Blob ${ref} cannot be read from ${file}: ${error.code ?? error.message}.`,
        );
      });
      const found = hashOf(bytes);
      if (`sha256:${found}` !== ref) {
        throw new BlobError(`Blob ${ref} was changed on disk: ${file} hashes to sha256:${found}.`);
      }
      return bytes;
    },
    getText: async (ref) => (await store.get(ref)).toString('utf8'),
    getJson: async <T>(ref: string) => JSON.parse(await store.getText(ref)) as T,
    putJson: (value) => store.put(JSON.stringify(value)),
  };
  return store;
};
