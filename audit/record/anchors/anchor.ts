/** Anchors as text: one signed line of a fixed length, so that its file is replaced in place by one small write. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';

import type { Head } from '../line.ts';
import type { PublicKey, SigningKey } from '../keys/signing-key.ts';

/** How far a log had come, kept outside it. */
export interface Anchor {
  /** File name of the log. */
  readonly log: string;
  readonly head: Head;
  /** Records the register of anchored logs had. */
  readonly listed: number;
  /** Id of the key that signed. */
  readonly key: string;
  readonly signature: string;
}

/** The anchor of one log, for its writer, who holds the log's lock. */
export interface LogAnchor {
  /** The head the log had at least; undefined when it was never anchored. @throws ChainError when the anchor is not ours. */
  read(): Promise<Head | undefined>;
  /** Moves the anchor to a head that is on disk. */
  keep(head: Head): Promise<void>;
  /** Puts on record that what was anchored is gone, so that the log may begin anew. */
  lose(head: Head, why: string): Promise<void>;
}

export interface Anchors {
  of(log: string): LogAnchor;
}

export const toAnchorFolder = (root: string): string => join(root, 'anchors');

/** Path of a log's anchor; the names of run logs and of days differ. */
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

/** Undefined for text that is not an anchor. */
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
 * Overwrites an anchor in place: a write within one page is done or not done when a process is killed, and needs no
 * disk to wait for, since an anchor may be behind its log. False when there is no file to overwrite.
 */
export const overwriteAnchor = (file: string, text: string): boolean => {
  let fd: number;
  try {
    fd = openSync(file, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  try {
    writeSync(fd, text, 0);
  } finally {
    closeSync(fd);
  }
  return true;
};
