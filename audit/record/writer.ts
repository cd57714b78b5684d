import { constants, writeSync } from 'node:fs';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { LogAnchor } from './anchors/anchor.ts';
import { hashOf } from './blobs.ts';
import { ChainError } from './chain-error.ts';
import { failpoint } from './failpoint.ts';
import { toGenesis, toLine } from './line.ts';
import type { Head } from './line.ts';
import { scan } from './scan.ts';
import type { Place } from './scan.ts';
import { syncFolder } from './sync-folder.ts';

/** Appends to a chained file. The caller must hold its lock for every call. */
export interface ChainWriter {
  readonly head: Head;
  /** True once the file holds a record that is not a repair. */
  readonly hasRecords: boolean;
  /** Verifies what was added since the last call and repairs a torn tail. @throws ChainError */
  catchUp(): Promise<void>;
  /** One write and one fdatasync, after `catchUp`. Durable when it resolves. */
  append(records: readonly object[]): Promise<readonly Head[]>;
  /** True if the file was deleted behind the writer's back. */
  isGone(): Promise<boolean>;
  close(): Promise<void>;
}

/** Creates a private folder, durably. */
export const createFolder = async (folder: string): Promise<void> => {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (first !== undefined) syncFolder(dirname(first));
};

/**
 * Opens or creates the file; `catchUp` does the reading. With an anchor, the file must hold what was anchored, and the
 * anchor follows each append.
 */
export const openWriter = async (
  file: string,
  identity: string,
  anchor?: LogAnchor,
): Promise<ChainWriter> => {
  const handle = await open(file, constants.O_RDWR | constants.O_CREAT, 0o600);
  syncFolder(dirname(file));
  const who = identity.startsWith('run ') ? 'mirror' : 'audit';
  let place: Place = { head: toGenesis(identity), position: 0 };
  let hasRecords = false;
  const see = (record: object): void => {
    hasRecords ||= !('kind' in record && record.kind === 'repair');
  };

  const append = async (records: readonly object[]): Promise<readonly Head[]> => {
    if (records.length === 0) return [];
    let { head } = place;
    const heads: Head[] = [];
    let text = '';
    for (const record of records) {
      const next = toLine(record, head);
      text += next.line;
      head = next.head;
      heads.push(head);
    }
    const bytes = Buffer.from(text);
    failpoint(`${who}.half-written`, () =>
      writeSync(handle.fd, bytes, 0, bytes.length >> 1, place.position),
    );
    try {
      // A write falls short only when it cannot continue; the next call then reports why.
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await handle.write(bytes, done, undefined, place.position + done);
        done += bytesWritten;
      }
      failpoint(`${who}.written`);
      await handle.datasync();
      failpoint(`${who}.synced`);
    } catch (error) {
      // If this fails too, the next catchUp finds the tail.
      await handle.truncate(place.position).catch(() => {});
      throw error;
    }
    place = { head, position: place.position + bytes.length };
    records.forEach(see);
    await anchor?.keep(head);
    return heads;
  };

  /** Verifies from the last position on, and that the file still holds what was anchored. */
  const look = async (anchored: Head | undefined): Promise<Buffer | undefined> => {
    if (anchored?.seq === place.head.seq && anchored.hash !== place.head.hash) {
      throw new ChainError(file, anchored.seq, 'is another one than was anchored');
    }
    const found = await scan(handle, place, (record) => {
      see(record);
      if (record.seq === anchored?.seq && record.hash !== anchored.hash) {
        throw new ChainError(file, record.seq, 'is another one than was anchored');
      }
    });
    if (found.kind === 'bad') throw new ChainError(file, found.line, found.why);
    if (found.head.seq < (anchored?.seq ?? 0)) {
      throw new ChainError(
        file,
        found.head.seq + 1,
        `is gone: the file had ${anchored?.seq} records when its anchor was written`,
      );
    }
    place = { head: found.head, position: found.position };
    return found.kind === 'torn' ? found.tail : undefined;
  };

  /** Truncate first: on a full disk the copy may fail, the repair must not. */
  const repair = async (tail: Buffer): Promise<void> => {
    await handle.truncate(place.position);
    const sha256 = hashOf(tail);
    await writeFile(`${file}.torn-${sha256.slice(0, 8)}`, tail, { mode: 0o600 }).catch(() => {});
    await append([{ kind: 'repair', bytes: tail.length, sha256 }]);
  };

  return {
    get head() {
      return place.head;
    },
    get hasRecords() {
      return hasRecords;
    },
    append,
    async catchUp() {
      // Read before the file: an anchor is never ahead of what the file then holds.
      let anchored = await anchor?.read();
      const { size } = await handle.stat();
      if (size < place.position) {
        throw new ChainError(file, place.head.seq, 'is gone: the file is shorter than it was');
      }
      if (size === 0 && anchored !== undefined) {
        await anchor?.lose(anchored, 'was deleted or emptied');
        anchored = undefined;
      }
      const isKnown = anchored === undefined || anchored.hash === place.head.hash;
      if (size === place.position && isKnown) return;
      const tail = await look(anchored);
      if (tail !== undefined) await repair(tail);
      else if (anchored === undefined && place.head.seq > 0) await anchor?.keep(place.head);
    },
    isGone: async () => (await handle.stat()).nlink === 0,
    close: () => handle.close(),
  };
};
