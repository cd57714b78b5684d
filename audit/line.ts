import { isUtf8 } from 'node:buffer';
import { hash as digest } from 'node:crypto';

import { isCanonical, toCanonical } from './canonical.ts';

/** Place in a chain: how many records, and the hash of the last. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

/** What a line holds beside the record's own members. */
export interface ChainRecord {
  readonly seq: number;
  readonly prev: string;
  readonly hash: string;
  readonly [member: string]: unknown;
}

/** What is before the first record. It binds the chain to its identity, so that no file can stand in for another. */
export const toGenesis = (identity: string): Head => ({
  seq: 0,
  hash: digest('sha256', `dev-agent chain v1\0${identity}`),
});

/** The line of a record (with its newline) and the head after it. */
export const toLine = (record: object, after: Head): { line: string; head: Head } => {
  const seq = after.seq + 1;
  const { hash: _, ...bare } = { ...record, seq, prev: after.hash } as Record<string, unknown>;
  const hash = digest('sha256', `${after.hash}\n${toCanonical(bare)}`);
  return { line: `${toCanonical({ ...bare, hash })}\n`, head: { seq, hash } };
};

/** The canonical text of the record without its hash, cut out of the canonical line where that is certain. */
const withoutHash = (text: string, record: ChainRecord): string => {
  const member = `"hash":"${record.hash}"`;
  const at = text.indexOf(member);
  const end = at + member.length;
  // In a canonical line a quote after a comma or brace opens a key: found once, it can only be the line's own.
  if (at > 0 && text.indexOf(member, end) === -1) {
    if (text[at - 1] === ',') return text.slice(0, at - 1) + text.slice(end);
    if (at === 1 && text[end] === ',') return `{${text.slice(end + 1)}`;
  }
  const { hash: _, ...bare } = record;
  return toCanonical(bare);
};

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

/** Judges one line (without newline) by the head before it. */
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
  // Serialising recurses, parsing does not: text nested without end, which no writer makes, would throw.
  try {
    if (!isCanonical(text, value)) return bad('is not in canonical form');
  } catch {
    return bad('nests too deeply to be a record');
  }
  if (digest('sha256', `${after.hash}\n${withoutHash(text, record)}`) !== record.hash) {
    return bad('was changed: its hash does not match its content');
  }
  return { ok: true, record, text };
};
