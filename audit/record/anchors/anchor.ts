/** Anchors as text: one signed line of fixed length, so that one small write replaces it in place. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';

import type { Head } from '../line.ts';
import type { PublicKey, SigningKey } from '../keys/signing-key.ts';
import { ifThere } from '../missing.ts';

/** How far a log had come, stored outside the log. */
export interface Anchor {
  /** File name of the log. */
  readonly log: string;
  readonly head: Head;
  /** Number of records in the register of anchored logs. */
  readonly listed: number;
  /** Id of the signing key. */
  readonly key: string;
  readonly signature: string;
}

/** The anchor of one log, for its writer, which holds the log's lock. */
export interface LogAnchor {
  /** The least head the log must have; undefined if never anchored. @throws ChainError if the anchor is not ours. */
  read(): Promise<Head | undefined>;
  /** Moves the anchor to a head that is already on disk. */
  keep(head: Head): Promise<void>;
  /** Records that what was anchored is gone, so that the log may start over. */
  lose(head: Head, why: string): Promise<void>;
}

export interface Anchors {
  of(log: string): LogAnchor;
}

export const toAnchorFolder = (root: string): string => join(root, 'anchors');

/** Path of a log's anchor. Run logs and days never share a name. */
export const toAnchorFile = (folder: string, log: string): string =>
  join(folder, `${basename(log, '.jsonl')}.json`);

const bytes = 512;

const toSigned = ({ log, head, listed }: Omit<Anchor, 'key' | 'signature'>): string =>
  ['dev-agent anchor v1', log, head.seq, head.hash, listed].join('\0');

export const isSignedBy = (anchor: Anchor, key: PublicKey): boolean =>
  anchor.key === key.id && key.isSigned(toSigned(anchor), anchor.signature);

export const renderAnchor = (
  anchor: Omit<Anchor, 'key' | 'signature'>,
  key: SigningKey,
): string => {
  const { log, head, listed } = anchor;
  const signature = key.sign(toSigned(anchor));
  const text = JSON.stringify({
    v: 1,
    log,
    records: head.seq,
    head: head.hash,
    listed,
    key: key.id,
    signature,
  });
  return `${text.padEnd(bytes - 1)}\n`;
};

/** Undefined if the text is not an anchor. */
export const parseAnchor = (text: string): Anchor | undefined => {
  try {
    const { v, log, records, head, listed, key, signature } = JSON.parse(text) as Record<
      string,
      unknown
    >;
    if (v !== 1 || typeof records !== 'number' || typeof listed !== 'number') return undefined;
    if (typeof log !== 'string' || typeof head !== 'string') return undefined;
    if (typeof key !== 'string' || typeof signature !== 'string') return undefined;
    return { log, head: { seq: records, hash: head }, listed, key, signature };
  } catch {
    return undefined;
  }
};

/**
 * Overwrites an anchor in place. A write within one page is atomic when a process is killed, and it needs no fsync
 * because an anchor may lag behind its log. False if there is no file to overwrite.
 */
export const overwriteAnchor = (file: string, text: string): boolean => {
  const fd = ifThere(() => openSync(file, 'r+'));
  if (fd === undefined) return false;
  try {
    writeSync(fd, text, 0);
  } finally {
    closeSync(fd);
  }
  return true;
};
