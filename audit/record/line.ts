import { isUtf8 } from 'node:buffer';
import { hash as digest } from 'node:crypto';

import { isCanonical, toCanonical } from './canonical.ts';

/** A position in a chain: the record count and the last hash. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

/** What the chain adds to a record. */
export interface ChainRecord {
  readonly seq: number;
  readonly prev: string;
  readonly hash: string;
  readonly [member: string]: unknown;
}

/** The head before the first record. It binds the chain to its identity, so that one file cannot replace another. */
export const toGenesis = (identity: string): Head => ({
  seq: 0,
  hash: digest('sha256', `dev-agent chain v1\0${identity}`),
});

/** A record's line, newline included, and the head after it. */
export const toLine = (record: object, after: Head): { line: string; head: Head } => {
  const seq = after.seq + 1;
  const { hash: _, ...bare } = { ...record, seq, prev: after.hash } as Record<string, unknown>;
  const hash = digest('sha256', `${after.hash}\n${toCanonical(bare)}`);
  return { line: `${toCanonical({ ...bare, hash })}\n`, head: { seq, hash } };
};

const memberBytes = '"hash":""'.length + 64;
let scratch = Buffer.alloc(1 << 16);

/** Hashes a line's bytes with the member `hash` cut out. Undefined unless that member occurs exactly once. */
const hashLine = (bytes: Buffer, hash: unknown, after: Head): string | undefined => {
  const at = typeof hash === 'string' ? bytes.indexOf(`"hash":"${hash}"`, 0, 'latin1') : -1;
  // The preceding comma goes too; without one, `hash` is the first member, which no writer produces.
  if (at < 2 || bytes[at - 1] !== 0x2c) return undefined;
  const length = after.hash.length + bytes.length - memberBytes;
  if (scratch.length < length) scratch = Buffer.alloc(length * 2);
  let end = scratch.write(`${after.hash}\n`, 'latin1');
  end += bytes.copy(scratch, end, 0, at - 1);
  end += bytes.copy(scratch, end, at + memberBytes);
  return digest('sha256', scratch.subarray(0, end));
};

/** Whether members are in order; integer-like keys, whose order objects lose, count as unsorted. */
const hasSortedKeys = (record: object): boolean => {
  let last = '';
  for (const key of Object.keys(record)) {
    if (key < last || (key >= '0' && key < ':')) return false;
    last = key;
  }
  return true;
};

/**
 * True if the line is byte for byte what a writer produced: without `hash` it hashes to `hash`, which is a real member
 * in its place. The rest of canonical form follows, because the hash covers the text.
 */
const isAsWritten = (bytes: Buffer, record: ChainRecord, after: Head): boolean =>
  record.hash !== undefined &&
  hashLine(bytes, record.hash, after) === record.hash &&
  hasSortedKeys(record);

export type LineCheck =
  | { readonly ok: true; readonly record: ChainRecord; readonly text: string }
  | { readonly ok: false; readonly why: string; readonly unparsable: boolean };

const bad = (why: string, unparsable = false): LineCheck => ({ ok: false, why, unparsable });

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** Checks one line, without its newline, against the head before it. */
export const checkLine = (bytes: Buffer, after: Head): LineCheck => {
  if (!isUtf8(bytes)) return bad('is not UTF-8', true);
  const text = bytes.toString('utf8');
  const value = parse(text);
  if (value === undefined) return bad('is not JSON', true);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return bad('is not a JSON object');
  }
  const record = value as ChainRecord;
  if (record.seq !== after.seq + 1) {
    return bad(`has seq ${JSON.stringify(record.seq)}, expected ${after.seq + 1}`);
  }
  if (record.prev !== after.hash) {
    return bad(
      after.seq === 0
        ? 'does not begin this chain: its prev is that of another identity'
        : 'does not follow the line before it: its prev is not that hash',
    );
  }
  if (isAsWritten(bytes, record, after)) return { ok: true, record, text };
  // Serialising recurses and parsing does not, so endlessly nested text, which no writer produces, would throw.
  try {
    if (!isCanonical(text, value)) return bad('is not in canonical form');
    const { hash, ...bare } = record;
    if (digest('sha256', `${after.hash}\n${toCanonical(bare)}`) === hash) {
      return { ok: true, record, text };
    }
  } catch {
    return bad('nests too deeply to be a record');
  }
  return bad('was changed: its hash does not match its content');
};
