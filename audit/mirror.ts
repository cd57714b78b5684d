/**
 * The mirror: a run's history, copied event by event into `run-<id>.jsonl` while it happens. An event is taken when it is
 * durable (the server gave it a task id) and the next in order; the file is the cursor, so whatever dies, nothing is
 * missing and nothing is there twice. Temporal's history stays the truth: what differs from it is reported, never mended.
 */
import { setTimeout } from 'node:timers/promises';
import type { HistoryEventJson } from './history-json.ts';
import { isEnd, nextExecution, toHistoryJson } from './history-json.ts';
import { openChain, readChain } from './chain.ts';
import type { Chain } from './chain.ts';
import { hashOf } from './blobs.ts';
import { toCanonical } from './canonical.ts';

/** What of Temporal's service the mirror calls; handed in, so that the record is kept without the client. */
export interface HistoryService {
  getWorkflowExecutionHistory(request: {
    namespace: string;
    execution: { workflowId: string; runId?: string };
    waitNewEvent: boolean;
    nextPageToken?: Uint8Array;
  }): Promise<{
    history?: { events?: readonly object[] | null } | null;
    nextPageToken?: Uint8Array | null;
  }>;
}

export interface MirrorLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

export interface MirrorRun {
  readonly service: HistoryService;
  readonly namespace: string;
  /** `run-<id>`. */
  readonly workflowId: string;
  readonly file: string;
  readonly signal: AbortSignal;
  readonly log: MirrorLog;
  /** Written into the header. */
  readonly version: string;
  /** Called once the header is on disk. */
  readonly onOpen?: () => void;
}

/** The file and the server disagree about an event that both have. */
export class MirrorMismatch extends Error {
  override readonly name = 'MirrorMismatch';
}

/** Where the file ends. */
interface Cursor {
  execution: string | undefined;
  /** Last event taken of that execution. */
  eventId: number;
  /** Hash of each event taken of it, to check what the server hands out again. */
  readonly hashes: Map<number, string>;
  /** Execution the last event goes on in. */
  next: string | undefined;
  events: number;
  header: boolean;
  closed: boolean;
}

const runOf = (workflowId: string): string => workflowId.replace(/^run-/, '');

async function readCursor(file: string): Promise<Cursor> {
  const cursor: Cursor = {
    execution: undefined,
    eventId: 0,
    hashes: new Map(),
    next: undefined,
    events: 0,
    header: false,
    closed: false,
  };
  for await (const record of readChain(file)) {
    if (record['kind'] === 'header') cursor.header = true;
    if (record['kind'] === 'close') cursor.closed = true;
    if (record['kind'] === 'event')
      advance(cursor, String(record['execution']), record['event'] as HistoryEventJson);
  }
  return cursor;
}

function advance(cursor: Cursor, execution: string, event: HistoryEventJson): void {
  if (cursor.execution !== execution) {
    cursor.execution = execution;
    cursor.hashes.clear();
  }
  cursor.eventId = Number(event.eventId);
  cursor.hashes.set(cursor.eventId, hashOf(toCanonical(event)));
  cursor.next = nextExecution(event);
  cursor.events += 1;
}

/**
 * Mirrors one run to its end, or until `signal` fires. Goes on where the file ends.
 * @throws ChainError when the file was changed, MirrorMismatch when the server has another event where the file has one,
 * ChainLockedError when another process mirrors the run, and the server's error when it does not know the run.
 */
export async function mirrorRun(options: MirrorRun): Promise<void> {
  const { workflowId, file, namespace, signal } = options;
  const chain = await openChain(file, `run ${runOf(workflowId)}`);
  try {
    const cursor = await readCursor(file);
    if (!cursor.header) {
      await chain.append([
        {
          kind: 'header',
          v: 1,
          run: runOf(workflowId),
          workflowId,
          namespace,
          version: options.version,
          time: new Date().toISOString(),
        },
      ]);
    }
    options.onOpen?.();
    while (!cursor.closed && !signal.aborted) {
      if (await mirrorExecution(options, chain, cursor)) {
        await chain.append([
          { kind: 'close', events: cursor.events, time: new Date().toISOString() },
        ]);
        cursor.closed = true;
      }
    }
  } finally {
    await chain.close();
  }
}

/** Follows one execution. True when the run ended with it; false to go on with the next, or to stop. */
async function mirrorExecution(options: MirrorRun, chain: Chain, cursor: Cursor): Promise<boolean> {
  const { service, namespace, workflowId, signal } = options;
  // The execution that runs on in another is complete: its last event names the next.
  const runId = cursor.next ?? cursor.execution;
  if (cursor.next !== undefined) {
    await chain.append([{ kind: 'link', from: cursor.execution, to: cursor.next }]);
    cursor.execution = cursor.next;
    cursor.next = undefined;
    cursor.eventId = 0;
    cursor.hashes.clear();
  }
  let token: Uint8Array | undefined;
  let execution = runId;
  for (;;) {
    if (signal.aborted) return false;
    const page = await service.getWorkflowExecutionHistory({
      namespace,
      execution: { workflowId, ...(runId === undefined ? {} : { runId }) },
      waitNewEvent: true,
      ...(token === undefined ? {} : { nextPageToken: token }),
    });
    const events = toHistoryJson(page.history?.events ?? []);
    execution ??= executionOf(events);
    const fresh = toFresh(events, cursor, execution ?? '');
    if (fresh.length > 0)
      await chain.append(fresh.map((event) => toRecord(event, execution ?? '')));
    for (const event of fresh) advance(cursor, execution ?? '', event);
    const last = fresh.at(-1);
    if (last !== undefined && isEnd(last)) return cursor.next === undefined;
    token = page.nextPageToken?.length ? page.nextPageToken : undefined;
    // A closed execution has no token; one that was complete in the file already has nothing fresh either.
    if (token === undefined && fresh.length === 0) return cursor.next === undefined;
  }
}

/** The first event names the execution when it was asked for as "the current one". */
function executionOf(events: readonly HistoryEventJson[]): string | undefined {
  const started = events[0]?.['workflowExecutionStartedEventAttributes'] as
    { originalExecutionRunId?: string } | undefined;
  return started?.originalExecutionRunId;
}

/**
 * Durable events after the cursor, without a gap. Ids may go backwards: after a page that ended in events not yet durable the
 * server hands the same ids out again, maybe for other events. What was taken before must come back the same.
 */
function toFresh(
  events: readonly HistoryEventJson[],
  cursor: Cursor,
  execution: string,
): HistoryEventJson[] {
  const fresh: HistoryEventJson[] = [];
  let last = cursor.execution === undefined || cursor.execution === execution ? cursor.eventId : 0;
  for (const event of events) {
    const id = Number(event.eventId);
    if (Number(event.taskId ?? 0) <= 0) continue;
    if (id <= cursor.eventId && cursor.execution === execution) {
      const known = cursor.hashes.get(id);
      if (known !== undefined && known !== hashOf(toCanonical(event))) {
        throw new MirrorMismatch(
          `Event ${id} of execution ${execution} is another one in Temporal than in the mirror.`,
        );
      }
      continue;
    }
    if (id !== last + 1) continue;
    last = id;
    fresh.push(event);
  }
  return fresh;
}

const toRecord = (event: HistoryEventJson, execution: string): object => ({
  kind: 'event',
  execution,
  id: Number(event.eventId),
  type: event.eventType.replace('EVENT_TYPE_', ''),
  time: event.eventTime,
  event,
});

/** Pause before the server is asked again after an error, doubling to 5 seconds. */
export const retryDelay = (failures: number): number =>
  Math.min(100 * 2 ** Math.min(failures, 10), 5_000);

/** Waits, or returns at once when `signal` fires. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  setTimeout(ms, undefined, { signal }).catch(() => undefined);
