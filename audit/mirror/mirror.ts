/**
 * The mirror: copies a run's history, event by event, into `run-<id>.jsonl` as it happens. It records an event once it
 * is durable (the server gave it a task id) and next in order; the file is the cursor, so no crash loses or duplicates
 * anything. Temporal's history remains the truth: differences are reported, never repaired.
 */
import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { openChain } from '../record/chain.ts';
import type { Anchors } from '../record/anchors/anchor.ts';
import type { Chain } from '../record/chain.ts';
import {
  advance,
  enterCopy,
  enterExecution,
  readCursor,
  readHashes,
  takeFresh,
  toMismatch,
} from './cursor.ts';
import type { Cursor } from './cursor.ts';
import { failpoint } from '../record/failpoint.ts';
import { toHistoryJson } from './history-json.ts';
import type { HistoryEventJson } from './history-json.ts';
import type { HistoryService } from './history-service.ts';
import { findOnward, readOrigin, readPages, toReset } from '../verify/origin.ts';
import type { Origin } from '../verify/origin.ts';

export { MirrorMismatch } from './cursor.ts';

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
  /** Written to the header. */
  readonly version: string;
  readonly sdk?: string;
  readonly readServerVersion?: () => Promise<string | undefined>;
  readonly anchors: Anchors;
  /** The run's latest execution, if known: a closed run that was reset continues there. */
  readonly latest?: string;
  /** Called once the header is on disk. */
  readonly onOpen?: () => void;
}

/** Pause after a page with little news, so that more arrives at once: a request costs far more than an event. */
const paceMs = 150;
const littleNews = 100;

interface Page {
  readonly events: readonly HistoryEventJson[];
  /** Where to continue. */
  readonly token: Uint8Array | undefined;
}

const runOf = (workflowId: string): string => workflowId.replace(/^run-/, '');
const now = (): string => new Date().toISOString();

/**
 * Mirrors one run to its end, until `signal` fires, or until the server has lost its history, which leaves a `gap`
 * record. Continues where the file ends; creates no file if the run does not exist. @throws ChainError if the file was
 * changed, MirrorMismatch if the server's event differs from the file's, ChainLockedError if another process mirrors
 * the run, and the server's error if it does not know the run.
 */
export async function mirrorRun(options: MirrorRun): Promise<void> {
  const { workflowId, file, namespace, version, signal } = options;
  const found = existsSync(file) ? undefined : await findStart(options);
  const chain = await openChain(file, `run ${runOf(workflowId)}`, options.anchors);
  try {
    const cursor = await readCursor(file);
    if (!cursor.header) {
      const run = runOf(workflowId);
      const server = await options.readServerVersion?.();
      const versions = { version, server, sdk: options.sdk, node: process.versions.node };
      await chain.append([
        { kind: 'header', v: 1, run, workflowId, namespace, ...versions, time: now() },
      ]);
    }
    options.onOpen?.();
    if (cursor.last === 'close' && !mayGoOn(cursor, options.latest)) return;
    let page: Page | undefined;
    if (cursor.execution === undefined) {
      const start = found ?? (await findStart(options));
      if (start.lost !== undefined) await chain.append([toGap(start.lost, 1, 'not found')]);
      enterExecution(cursor, start.execution);
      ({ page } = start);
    }
    while (!signal.aborted) {
      if (!(await mirrorExecution(options, chain, cursor, page))) return;
      page = undefined;
      if (!(await goOn(options, chain, cursor))) return;
    }
  } finally {
    await chain.close();
  }
}

/** A closed log continues only after a reset, in an execution it does not have. */
const mayGoOn = ({ ended, executions }: Cursor, latest: string | undefined): boolean =>
  ended && latest !== undefined && !executions.has(latest);

const toClose = ({ execution, events }: Cursor): object => ({
  kind: 'close',
  execution,
  events,
  time: now(),
});

/** Links to the next execution; if there is none, closes the log and returns false. */
async function goOn(options: MirrorRun, chain: Chain, cursor: Cursor): Promise<boolean> {
  const { execution: from, next } = cursor;
  if (next !== undefined) {
    await chain.append([{ kind: 'link', from, to: next, time: now() }]);
    enterExecution(cursor, next);
    return true;
  }
  const mayBeReset = cursor.terminated || mayGoOn(cursor, options.latest);
  const onward = mayBeReset ? await findReset(options, cursor) : undefined;
  if (onward === undefined) {
    if (cursor.last !== 'close') await chain.append([toClose(cursor)]);
    return false;
  }
  const { execution: to, reset, copied } = onward;
  if (reset === undefined) {
    await chain.append([{ kind: 'link', from, to, time: now() }]);
    enterExecution(cursor, to);
    return true;
  }
  const { base, baseId } = reset;
  const hashes = await readHashes(options.file, base);
  for (const [id, hash] of copied) {
    if ((hashes.get(id) ?? hash) !== hash) throw toMismatch(id, to);
  }
  const baseHash = copied.get(baseId);
  await chain.append([
    { kind: 'link', reason: 'reset', from, to, base, baseId, baseHash, time: now() },
  ]);
  enterExecution(cursor, to);
  enterCopy(cursor, hashes, baseId);
  return true;
}

/** The execution a reset made from one in the file, if it exists. */
async function findReset(options: MirrorRun, cursor: Cursor): Promise<Origin | undefined> {
  const { service, namespace, workflowId } = options;
  try {
    return await findOnward(
      (execution) => readOrigin(readPages(service, namespace, workflowId, execution)),
      cursor.executions,
    );
  } catch (error) {
    if (isHistoryGone(error)) return undefined;
    throw error;
  }
}

async function ask(options: MirrorRun, runId?: string, token?: Uint8Array): Promise<Page> {
  const { service, namespace, workflowId } = options;
  const answer = await service.getWorkflowExecutionHistory({
    namespace,
    execution: { workflowId, runId },
    waitNewEvent: true,
    nextPageToken: token,
  });
  return {
    events: toHistoryJson(answer.history?.events ?? []),
    token: answer.nextPageToken?.length ? answer.nextPageToken : undefined,
  };
}

interface Start {
  /** The first execution to read, and its first page if already fetched. */
  readonly execution: string;
  readonly page?: Page;
  /** The run's first execution, if the server has lost it. */
  readonly lost?: string;
}

/** Finds the run's first execution: the server answers with the latest, which may be a continuation. */
async function findStart(options: MirrorRun): Promise<Start> {
  const page = await ask(options);
  const { originalExecutionRunId: original, firstExecutionRunId: first = original } = (page
    .events[0]?.['workflowExecutionStartedEventAttributes'] ?? {}) as {
    readonly originalExecutionRunId?: string;
    readonly firstExecutionRunId?: string;
  };
  if (original === undefined || first === undefined) {
    throw new Error(`The history of ${options.workflowId} does not begin with its start.`);
  }
  // A reset starts with a copy that names its base: only the reset mark says whose history this is.
  const execution =
    page.events.map(toReset).findLast((reset) => reset !== undefined)?.to ?? original;
  if (first === execution) return { execution, page };
  try {
    return { execution: first, page: await ask(options, first) };
  } catch (error) {
    if (!isHistoryGone(error)) throw error;
    return { execution, page, lost: first };
  }
}

/** Follows one execution. True if it ended; false if `signal` fired or its history is gone. */
async function mirrorExecution(
  options: MirrorRun,
  chain: Chain,
  cursor: Cursor,
  first: Page | undefined,
): Promise<boolean> {
  const { signal } = options;
  const execution = cursor.execution ?? '';
  let page = first;
  let token: Uint8Array | undefined;
  let holeAfter: number | undefined;
  for (let idle = 0; !cursor.ended; page = undefined) {
    if (signal.aborted) return false;
    try {
      page ??= await ask(options, execution, token);
    } catch (error) {
      if (cursor.events === 0 || !isHistoryGone(error)) throw error;
      // A process killed between the two records has already written the first.
      const gap = cursor.last === 'gap' ? [] : [toGap(execution, cursor.eventId + 1, 'not found')];
      await chain.append([...gap, toClose(cursor)]);
      return false;
    }
    failpoint('mirror.fetched');
    const { fresh, hole } = takeFresh(page.events, cursor);
    if (fresh.length > 0) await chain.append(fresh.map((event) => toRecord(event, execution)));
    for (const event of fresh) advance(cursor, event);
    token = page.token;
    if (hole !== undefined) {
      // A page may have been lost: only a history read from its start can be said to have a hole.
      token = undefined;
      if (holeAfter === cursor.eventId) {
        await chain.append([toGap(execution, cursor.eventId + 1, 'hole in history', hole - 1)]);
        cursor.eventId = hole - 1;
      } else {
        holeAfter = cursor.eventId;
      }
      continue;
    }
    if (fresh.length > 0) {
      idle = 0;
      if (fresh.length < littleNews && !cursor.ended) await pause(paceMs, signal);
    } else if (token === undefined) await pause(retryDelay(idle++), signal);
  }
  return true;
}

/** gRPC status 5, unless a server just starting does not know the namespace yet. */
const isHistoryGone = (error: unknown): boolean =>
  (error as { code?: unknown }).code === 5 && !/namespace/i.test((error as Error).message);

const toGap = (execution: string, from: number, why: string, to?: number): object => ({
  kind: 'gap',
  execution,
  from,
  to,
  why,
  time: now(),
});

const toRecord = (event: HistoryEventJson, execution: string): object => ({
  kind: 'event',
  execution,
  id: Number(event.eventId),
  type: event.eventType.replace('EVENT_TYPE_', ''),
  time: event.eventTime,
  event,
});

/** Delay before asking the server again after an error; doubles up to 5 seconds. */
export const retryDelay = (failures: number): number =>
  Math.min(100 * 2 ** Math.min(failures, 10), 5_000);

/** Waits; returns early if `signal` fires. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  setTimeout(ms, undefined, { signal }).catch(() => undefined);
