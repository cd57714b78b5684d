import type { FileHandle } from 'node:fs/promises';

import { checkLine } from './line.ts';
import type { ChainRecord, Head } from './line.ts';

const chunkBytes = 1 << 20;
const newline = 0x0a;

interface Lines {
  readonly complete: readonly Buffer[];
  /** Bytes after the last newline; set only on the last batch. */
  readonly rest: Buffer;
}

/** A file's lines from `start`, one chunk at a time. */
export async function* readLines(handle: FileHandle, start: number): AsyncGenerator<Lines> {
  let open: Buffer[] = [];
  for (let position = start; ;) {
    const buffer = Buffer.allocUnsafe(chunkBytes);
    const { bytesRead } = await handle.read(buffer, 0, chunkBytes, position);
    if (bytesRead === 0) break;
    position += bytesRead;
    const chunk = buffer.subarray(0, bytesRead);
    const complete: Buffer[] = [];
    let from = 0;
    for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, from)) {
      const piece = chunk.subarray(from, at);
      complete.push(open.length === 0 ? piece : Buffer.concat([...open, piece]));
      open = [];
      from = at + 1;
    }
    if (from < bytesRead) open.push(chunk.subarray(from));
    if (complete.length > 0) yield { complete, rest: Buffer.alloc(0) };
  }
  yield { complete: [], rest: Buffer.concat(open) };
}

/** Where a scan starts: the head so far and the byte after its line. */
export interface Place {
  readonly head: Head;
  readonly position: number;
}

/** How a scan ended: all good, a truncated last write, or a line that is not what was written. */
export type Scan =
  | ({ readonly kind: 'good' } & Place)
  | ({ readonly kind: 'torn'; readonly tail: Buffer } & Place)
  | { readonly kind: 'bad'; readonly line: number; readonly why: string };

/** Verifies all lines from a position to the end, passing each good one on. */
export const scan = async (
  handle: FileHandle,
  from: Place,
  see?: (record: ChainRecord, text: string, line: number) => void,
): Promise<Scan> => {
  let { head, position } = from;
  let unparsable: { readonly bytes: Buffer; readonly why: string } | undefined;
  for await (const { complete, rest } of readLines(handle, position)) {
    for (const bytes of complete) {
      const line = head.seq + 1;
      if (unparsable !== undefined) return { kind: 'bad', line, why: unparsable.why };
      const check = checkLine(bytes, head);
      if (check.ok) {
        head = { seq: check.record.seq, hash: check.record.hash };
        position += bytes.length + 1;
        see?.(check.record, check.text, line);
      } else if (check.unparsable) {
        unparsable = { bytes, why: check.why };
      } else {
        return { kind: 'bad', line, why: check.why };
      }
    }
    if (rest.length > 0) {
      if (unparsable !== undefined) return { kind: 'bad', line: head.seq + 1, why: unparsable.why };
      return { kind: 'torn', tail: rest, head, position };
    }
  }
  if (unparsable === undefined) return { kind: 'good', head, position };
  return {
    kind: 'torn',
    tail: Buffer.concat([unparsable.bytes, Buffer.from('\n')]),
    head,
    position,
  };
};
