import { open } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { Anchors } from './anchors/anchor.ts';
import { toGenesis } from './line.ts';
import type { ChainRecord, Head } from './line.ts';
import { releaseLock, takeLock } from './lock.ts';
import { readLines, scan } from './scan.ts';
import type { Scan } from './scan.ts';
import { createFolder, openWriter } from './writer.ts';
import { ifMissing } from './missing.ts';

export { ChainError } from './chain-error.ts';
export { ChainLockedError } from './lock.ts';
export type { ChainRecord, Head } from './line.ts';

/**
 * A file of records, each carrying the hash of the one before: changing one means rewriting all that follow. The chain
 * sets `seq`, `prev` and `hash`, replacing the record's own.
 */
export interface Chain {
  /** One write and one fdatasync for all records; durable and in order when it resolves. */
  append(records: readonly object[]): Promise<readonly Head[]>;
  readonly head: Head;
  /** Waits for pending appends, then lets others write. */
  close(): Promise<void>;
}

/**
 * Opens a chain as its only writer, verifies it, and repairs a torn tail, leaving a `repair` record. @throws
 * ChainLockedError if another process writes it; ChainError if it was changed.
 */
export const openChain = async (
  file: string,
  identity: string,
  anchors?: Anchors,
): Promise<Chain> => {
  await createFolder(dirname(file));
  const lock = `${file}.lock`;
  takeLock(lock);
  try {
    const writer = await openWriter(file, identity, anchors?.of(file));
    try {
      await writer.catchUp();
    } catch (error) {
      await writer.close();
      throw error;
    }
    let last: Promise<unknown> = Promise.resolve();
    let closed: Promise<void> | undefined;
    return {
      get head() {
        return writer.head;
      },
      append(records) {
        if (closed) return Promise.reject(new Error(`${file} is closed; open the chain again.`));
        const result = last.then(async () => {
          await writer.catchUp();
          return writer.append(records);
        });
        last = result.catch(() => {});
        return result;
      },
      close() {
        closed ??= last.then(() => writer.close()).finally(() => releaseLock(lock));
        return closed;
      },
    };
  } catch (error) {
    releaseLock(lock);
    throw error;
  }
};

/** The result of verifying a chain. */
export type Verification =
  | { readonly ok: true; readonly records: number; readonly head: Head }
  | { readonly ok: false; readonly line: number; readonly why: string };

/** Reads a whole file without changing or locking it, passing each good record to `see`. */
export const scanChain = async (
  file: string,
  identity: string,
  see?: (record: ChainRecord, text: string, line: number) => void,
): Promise<Scan> => {
  const handle = await open(file, 'r').catch(ifMissing(undefined));
  if (handle === undefined) {
    return { kind: 'bad', line: 0, why: 'is missing: there is no such file' };
  }
  try {
    return await scan(handle, { head: toGenesis(identity), position: 0 }, see);
  } finally {
    await handle.close();
  }
};

/**
 * Verifies a whole file. A chain proves order and wholeness up to its head, but whoever can write the file can rehash
 * all of it: compare with its anchor, kept elsewhere.
 */
export const verifyChain = async (
  file: string,
  identity: string,
  see?: (record: ChainRecord, text: string, line: number) => void,
): Promise<Verification> => {
  const found = await scanChain(file, identity, see);
  switch (found.kind) {
    case 'bad':
      return { ok: false, line: found.line, why: found.why };
    case 'torn':
      return { ok: false, line: found.head.seq + 1, why: cutOff };
    case 'good':
      return { ok: true, records: found.head.seq, head: found.head };
  }
};

/** Describes an incomplete last line. */
export const cutOff = 'is cut off: its write did not finish';

/** A file's records, unverified; stops at a line that is truncated or not JSON. */
export async function* readChain(file: string): AsyncGenerator<ChainRecord> {
  const handle = await open(file, 'r');
  try {
    for await (const { complete } of readLines(handle, 0)) {
      for (const line of complete) {
        let record: ChainRecord;
        try {
          record = JSON.parse(line.toString('utf8')) as ChainRecord;
        } catch {
          return;
        }
        yield record;
      }
    }
  } finally {
    await handle.close();
  }
}
