import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { ifMissing } from '../../audit/record/missing.ts';

/** Reads a growing file line by line. */
export interface Tail {
  /** Complete lines since the last read; none if there is no file. A replaced file is read from the start. */
  read(): Promise<string[]>;
  close(): Promise<void>;
}

export function createTail(file: string): Tail {
  let handle: FileHandle | undefined;
  let position = 0;
  let rest = Buffer.alloc(0);
  const buffer = Buffer.alloc(65_536);

  return {
    async read() {
      handle ??= await open(file, 'r').catch(ifMissing(undefined));
      if (handle === undefined) return [];
      if ((await handle.stat()).size < position) {
        position = 0;
        rest = Buffer.alloc(0);
      }
      const lines: string[] = [];
      for (;;) {
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
        if (bytesRead === 0) return lines;
        position += bytesRead;
        rest = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
        // Cut in bytes: a character may span two reads.
        const end = rest.lastIndexOf(10);
        if (end === -1) continue;
        lines.push(...rest.toString('utf8', 0, end).split('\n'));
        rest = rest.subarray(end + 1);
      }
    },
    async close() {
      await handle?.close();
      handle = undefined;
    },
  };
}
