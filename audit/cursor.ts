import { hashOf } from './blobs.ts';
import { toCanonical } from './canonical.ts';
import { readChain } from './chain.ts';
import type { HistoryEventJson } from './history-json.ts';
import { isEnd, nextExecution } from './history-json.ts';

/** The file and the server disagree about an event that both have. */
export class MirrorMismatch extends Error {
  override readonly name = 'MirrorMismatch';
}

/** Where a mirror file ends. */
export interface Cursor {
  execution: string | undefined;
  /** Last event taken of that execution. */
  eventId: number;
  /** Hash of each event taken of it, to check what the server hands out again. */
  readonly hashes: Map<number, string>;
  /** True when that event ended the execution. */
  ended: boolean;
  /** Execution it goes on in. */
  next: string | undefined;
  /** Events in the whole file. */
  events: number;
  header: boolean;
  /** Kind of the last record. */
  last: unknown;
}

/** Reads where the file ends. Verifies nothing: opening the chain did. */
export async function readCursor(file: string): Promise<Cursor> {
  const cursor: Cursor = {
    execution: undefined,
    eventId: 0,
    hashes: new Map(),
    ended: false,
    next: undefined,
    events: 0,
    header: false,
    last: undefined,
  };
  for await (const record of readChain(file)) {
    const { kind, execution, to } = record;
    cursor.last = kind;
    if (kind === 'header') cursor.header = true;
    if (kind === 'link') enterExecution(cursor, String(to));
    if (kind === 'gap' && typeof to === 'number') cursor.eventId = to;
    if (kind === 'event') {
      if (cursor.execution !== execution) enterExecution(cursor, String(execution));
      advance(cursor, record['event'] as HistoryEventJson);
    }
  }
  return cursor;
}

/** Moves to the start of another execution. */
export function enterExecution(cursor: Cursor, execution: string): void {
  cursor.execution = execution;
  cursor.eventId = 0;
  cursor.hashes.clear();
  cursor.ended = false;
  cursor.next = undefined;
}

/** Moves past an event that was taken. */
export function advance(cursor: Cursor, event: HistoryEventJson): void {
  cursor.eventId = Number(event.eventId);
  cursor.hashes.set(cursor.eventId, hashOf(toCanonical(event)));
  cursor.ended = isEnd(event);
  cursor.next = nextExecution(event);
  cursor.events += 1;
}

/**
 * Durable events after the cursor, up to the first hole; `hole` is the id after it. Ids may go backwards: after a page
 * that ended in events not yet durable the server hands the same ids out again, maybe for other events.
 * @throws MirrorMismatch when what was taken before comes back as another event.
 */
export function takeFresh(
  events: readonly HistoryEventJson[],
  cursor: Cursor,
): { readonly fresh: readonly HistoryEventJson[]; readonly hole?: number } {
  const fresh: HistoryEventJson[] = [];
  let last = cursor.eventId;
  for (const event of events) {
    const id = Number(event.eventId);
    if (Number(event.taskId ?? 0) <= 0) continue;
    if (id <= cursor.eventId) {
      const known = cursor.hashes.get(id);
      if (known === undefined || known === hashOf(toCanonical(event))) continue;
      throw new MirrorMismatch(
        `Event ${id} of execution ${cursor.execution} is another one in Temporal than in the mirror. ` +
          'Nothing was written; compare the two before you trust either.',
      );
    }
    if (id <= last) continue;
    if (id > last + 1) return { fresh, hole: id };
    last = id;
    fresh.push(event);
  }
  return { fresh };
}
