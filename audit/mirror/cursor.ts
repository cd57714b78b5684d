import { hashOf } from '../record/blobs.ts';
import { toCanonical } from '../record/canonical.ts';
import { readChain } from '../record/chain.ts';
import { readExecutions } from '../verify/executions.ts';
import type { LinkFacts } from '../verify/executions.ts';
import type { HistoryEventJson } from './history-json.ts';
import { isEnd, nextExecution } from './history-json.ts';

/** The file and the server disagree about an event both have. */
export class MirrorMismatch extends Error {
  override readonly name = 'MirrorMismatch';
}

export const toMismatch = (id: number, execution: string | undefined): MirrorMismatch =>
  new MirrorMismatch(
    `Event ${id} of execution ${execution} differs between Temporal and the mirror. ` +
      'Nothing was written; compare the two with agent audit reconcile before trusting either.',
  );

/** The end of a mirror file. */
export interface Cursor {
  execution: string | undefined;
  /** Last event recorded of that execution. */
  eventId: number;
  /** Hash of each recorded event, to check what the server sends again. */
  hashes: Map<number, string>;
  /** Whether the server assigns task ids to durable events, as its first event shows; unknown before that. */
  numbered: boolean | undefined;
  /** Events the server may still discard, if it assigns no task ids. */
  held: readonly HistoryEventJson[];
  /** True if that event ended the execution. */
  ended: boolean;
  /** True if that event was a termination, which is how a reset ends its base. */
  terminated: boolean;
  /** The execution it continues in. */
  next: string | undefined;
  /** Every execution in the file. */
  readonly executions: Set<string>;
  /** Events in the whole file. */
  events: number;
  header: boolean;
  /** Kind of the last record. */
  last: unknown;
}

/** Reads the end of the file. Verifies nothing: opening the chain did. */
export async function readCursor(file: string): Promise<Cursor> {
  const cursor: Cursor = {
    execution: undefined,
    eventId: 0,
    hashes: new Map(),
    numbered: undefined,
    held: [],
    ended: false,
    terminated: false,
    next: undefined,
    executions: new Set(),
    events: 0,
    header: false,
    last: undefined,
  };
  for await (const record of readChain(file)) {
    const { kind, execution, to } = record;
    cursor.last = kind;
    if (kind === 'header') cursor.header = true;
    if (kind === 'link') {
      const { base, baseId = 0 } = record as unknown as LinkFacts;
      enterExecution(cursor, String(to));
      if (base !== undefined) enterCopy(cursor, await readHashes(file, base), baseId);
    }
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
  cursor.hashes = new Map();
  cursor.numbered = undefined;
  cursor.held = [];
  cursor.ended = false;
  cursor.terminated = false;
  cursor.next = undefined;
  cursor.executions.add(execution);
  cursor.last = 'link';
}

/** Skips what a reset copied from its base, which the file already has. */
export function enterCopy(cursor: Cursor, base: ReadonlyMap<number, string>, baseId: number): void {
  cursor.hashes = new Map([...base].filter(([id]) => id <= baseId));
  cursor.eventId = baseId;
  cursor.numbered = true;
}

/** Hashes of all events of an execution in the file. */
export const readHashes = async (
  file: string,
  execution: string,
): Promise<ReadonlyMap<number, string>> =>
  (await readExecutions(file, hashEvent)).get(execution) ?? new Map<number, string>();

/** Two events are the same if their hashes are. */
export const hashEvent = (event: HistoryEventJson): string => hashOf(toCanonical(event));

/** Moves past a recorded event. */
export function advance(cursor: Cursor, event: HistoryEventJson): void {
  cursor.eventId = Number(event.eventId);
  cursor.hashes.set(cursor.eventId, hashEvent(event));
  if (cursor.eventId === 1) cursor.numbered = isNumbered(event);
  cursor.ended = isEnd(event);
  cursor.terminated = event.eventType === 'EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED';
  cursor.next = nextExecution(event);
  cursor.events += 1;
  cursor.last = 'event';
}

const isNumbered = ({ taskId }: HistoryEventJson): boolean => Number(taskId ?? 0) > 0;

const maybeTakenBack = new Set([
  'EVENT_TYPE_WORKFLOW_TASK_SCHEDULED',
  'EVENT_TYPE_WORKFLOW_TASK_STARTED',
]);

/**
 * The durable ones among new events. Without task ids, a scheduled or started workflow task is durable only once
 * another event follows, so it is held back until then.
 */
function takeDurable(
  events: readonly HistoryEventJson[],
  cursor: Cursor,
): readonly HistoryEventJson[] {
  const [first] = events;
  const numbered = cursor.numbered ?? (first?.eventId !== '1' || isNumbered(first));
  if (numbered) return events.filter(isNumbered);
  const goesOn = Number(first?.eventId) === Number(cursor.held.at(-1)?.eventId) + 1;
  const all = goesOn || first === undefined ? [...cursor.held, ...events] : events;
  const end = all.findLastIndex(({ eventType }) => !maybeTakenBack.has(eventType)) + 1;
  cursor.held = all.slice(end);
  return all.slice(0, end);
}

/**
 * Durable events after the cursor, up to the first hole; `hole` is the id after it. Ids may go backwards: if a page
 * ended in events not yet durable, the server reuses their ids, maybe for other events. @throws MirrorMismatch if a
 * recorded event comes back different.
 */
export function takeFresh(
  events: readonly HistoryEventJson[],
  cursor: Cursor,
): { readonly fresh: readonly HistoryEventJson[]; readonly hole?: number } {
  const fresh: HistoryEventJson[] = [];
  let last = cursor.eventId;
  for (const event of takeDurable(events, cursor)) {
    const id = Number(event.eventId);
    if (id <= cursor.eventId) {
      const known = cursor.hashes.get(id);
      if (known === undefined || known === hashEvent(event)) continue;
      throw toMismatch(id, cursor.execution);
    }
    if (id <= last) continue;
    if (id > last + 1) return { fresh, hole: id };
    last = id;
    fresh.push(event);
  }
  return { fresh };
}
