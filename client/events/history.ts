import { setTimeout } from 'node:timers/promises';

/** One server response. */
export interface HistoryPage<E> {
  readonly events: readonly E[];
  /** Where to continue; undefined once this history is complete. */
  readonly next: Uint8Array | undefined;
}

/** The fields of an event the reader needs; numbers are Longs. */
interface Numbered {
  readonly eventId?: unknown;
  readonly taskId?: unknown;
  readonly workflowExecutionContinuedAsNewEventAttributes?: {
    readonly newExecutionRunId?: string | null;
  } | null;
}

export interface HistorySource<E extends Numbered> {
  readonly firstRunId: string;
  readonly poll: (runId: string, token: Uint8Array | undefined) => Promise<HistoryPage<E>>;
  /** Whether an error means that the server is temporarily unreachable. */
  readonly isAway: (error: unknown) => boolean;
  /** Called each time the server becomes unreachable. */
  readonly onAway?: () => void;
  readonly signal: AbortSignal;
}

const firstDelayMs = 100;
const maxDelayMs = 5_000;

/**
 * Every durable event of a run, in order and once, across all its executions; waits for more until the run ends. An
 * event is durable once the server assigns it a task; until then it may be reverted. Waits for an unreachable server.
 * Returns when the signal aborts.
 */
export async function* followHistory<E extends Numbered>(
  source: HistorySource<E>,
): AsyncGenerator<readonly E[]> {
  let runId: string | undefined = source.firstRunId;
  while (runId !== undefined) {
    let last = 0;
    let next: string | undefined;
    let token: Uint8Array | undefined;
    do {
      const page = await pollPatiently(source, runId, token);
      if (page === undefined) return;
      const fresh: E[] = [];
      for (const event of page.events) {
        const id = Number(event.eventId);
        if (id !== last + 1 || Number(event.taskId) <= 0) continue;
        last = id;
        fresh.push(event);
        next = event.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? next;
      }
      if (fresh.length > 0) yield fresh;
      token = page.next;
    } while (token !== undefined);
    runId = next;
  }
}

/** Undefined if the reader has had enough. */
async function pollPatiently<E extends Numbered>(
  source: HistorySource<E>,
  runId: string,
  token: Uint8Array | undefined,
): Promise<HistoryPage<E> | undefined> {
  for (let failures = 0; ; failures++) {
    try {
      return await source.poll(runId, token);
    } catch (error) {
      if (source.signal.aborted) return undefined;
      if (!source.isAway(error)) throw error;
      if (failures === 1) source.onAway?.();
      const delay = Math.min(firstDelayMs * 2 ** failures, maxDelayMs);
      await setTimeout(delay, undefined, { signal: source.signal }).catch(() => undefined);
      if (source.signal.aborted) return undefined;
    }
  }
}
