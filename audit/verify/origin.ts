/** Where an execution came from, according to its own history. */
import { hashEvent } from '../mirror/cursor.ts';
import { attributesOf, toHistoryJson } from '../mirror/history-json.ts';
import type { HistoryEventJson } from '../mirror/history-json.ts';
import type { HistoryService } from '../mirror/history-service.ts';

/** The point an execution was reset from. */
interface Reset {
  readonly base: string;
  /** Last event copied from it. */
  readonly baseId: number;
}

export interface Origin {
  readonly execution: string;
  readonly reset?: Reset;
  /** The execution it continues. */
  readonly continued?: string;
  /** Hashes of the events a reset copied. */
  readonly copied: ReadonlyMap<number, string>;
}

/** Reads an event's reset mark: it is the first event of `to` itself. */
export function toReset(event: HistoryEventJson): (Reset & { readonly to: string }) | undefined {
  if (event.eventType !== 'EVENT_TYPE_WORKFLOW_TASK_FAILED') return undefined;
  const { cause, baseRunId, newRunId } = attributesOf(event) as {
    readonly cause?: string;
    readonly baseRunId?: string;
    readonly newRunId?: string;
  };
  if (cause !== 'WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW') return undefined;
  if (!baseRunId || !newRunId) return undefined;
  return { base: baseRunId, baseId: Number(event.eventId) - 1, to: newRunId };
}

/** Reads an execution's history without waiting for more; without `execution`, the latest one's. */
export async function* readPages(
  service: HistoryService,
  namespace: string,
  workflowId: string,
  execution?: string,
): AsyncGenerator<readonly HistoryEventJson[]> {
  let token: Uint8Array | undefined;
  do {
    const answer = await service.getWorkflowExecutionHistory({
      namespace,
      execution: { workflowId, runId: execution },
      waitNewEvent: false,
      nextPageToken: token,
    });
    yield toHistoryJson(answer.history?.events ?? []);
    token = answer.nextPageToken?.length ? answer.nextPageToken : undefined;
  } while (token !== undefined);
}

/** Undefined if the history does not begin with a start. */
export async function readOrigin(
  pages: AsyncIterable<readonly HistoryEventJson[]>,
): Promise<Origin | undefined> {
  const hashes = new Map<number, string>();
  let start: Readonly<Record<string, unknown>> | undefined;
  let reset: ReturnType<typeof toReset>;
  for await (const events of pages) {
    for (const event of events) {
      if (event.eventId === '1') start = attributesOf(event);
      // A reset of a reset also copies the older mark.
      reset = toReset(event) ?? reset;
      hashes.set(Number(event.eventId), hashEvent(event));
    }
  }
  const { originalExecutionRunId: original, continuedExecutionRunId: continued } = (start ??
    {}) as { readonly originalExecutionRunId?: string; readonly continuedExecutionRunId?: string };
  if (reset !== undefined) {
    const { to, base, baseId } = reset;
    const copied = new Map([...hashes].filter(([id]) => id <= baseId));
    return { execution: to, reset: { base, baseId }, copied };
  }
  if (original === undefined) return undefined;
  return { execution: original, copied: new Map(), continued: continued ? continued : undefined };
}

/** The first execution after the `known` ones, going back from the latest; undefined if there is none. */
export async function findOnward(
  read: (execution?: string) => Promise<Origin | undefined>,
  known: ReadonlySet<string>,
): Promise<Origin | undefined> {
  let origin = await read();
  while (origin !== undefined && !known.has(origin.execution)) {
    const previous = origin.reset?.base ?? origin.continued;
    if (previous === undefined) return undefined;
    if (known.has(previous)) return origin;
    origin = await read(previous);
  }
  return undefined;
}
