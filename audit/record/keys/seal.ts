/**
 * A seal over every byte of a gzip file, inside the file: a second, empty gzip member with the signature as its extra
 * field. Unpacking tools skip it.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { appendFile, open, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';

import type { PublicKey, SigningKey } from './signing-key.ts';

const signatureBytes = 64;
/** Magic, deflate, FEXTRA, no time, no flags, unknown OS; length of the extra field; subfield DA and its length. */
const head = Buffer.from([
  0x1f,
  0x8b,
  8,
  4,
  0,
  0,
  0,
  0,
  0,
  0xff,
  signatureBytes + 4,
  0,
  0x44,
  0x41,
  signatureBytes,
  0,
]);
/** Empty deflate stream, checksum, length. */
const tail = Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

/** Length of a seal. */
export const sealBytes = head.length + signatureBytes + tail.length;

const toSigned = async (file: string, bytes: number): Promise<string> => {
  const hash = createHash('sha256');
  if (bytes > 0) await pipeline(createReadStream(file, { end: bytes - 1 }), hash);
  return `dev-agent seal v1\0${hash.digest('hex')}`;
};

/** Appends the seal to a finished file. */
export const seal = async (file: string, key: SigningKey): Promise<void> => {
  const { size } = await stat(file);
  const signature = Buffer.from(key.sign(await toSigned(file, size)), 'base64');
  await appendFile(file, Buffer.concat([head, signature, tail]));
};

/** What is wrong with a file's seal; undefined if every byte is as sealed. */
export const judgeSeal = async (file: string, key: PublicKey): Promise<string | undefined> => {
  const { size } = await stat(file);
  const bytes = Buffer.alloc(sealBytes);
  const handle = await open(file, 'r');
  try {
    await handle.read(bytes, 0, sealBytes, Math.max(0, size - sealBytes));
  } finally {
    await handle.close();
  }
  const end = head.length + signatureBytes;
  if (!bytes.subarray(0, head.length).equals(head) || !bytes.subarray(end).equals(tail)) {
    return 'has no seal at its end: it was cut, or changed there';
  }
  const signature = bytes.subarray(head.length, end).toString('base64');
  return key.isSigned(await toSigned(file, size - sealBytes), signature)
    ? undefined
    : 'was changed: its seal does not match its bytes';
};
