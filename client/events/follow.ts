import { toHistoryJson } from '../../audit/mirror/history-json.ts';
import type { RunEvent } from '../../audit/events/events.ts';
import { createProjection } from '../../audit/events/events.ts';
import type { RunClient } from '../run-client.ts';
import { isAway } from '../temporal/server.ts';
import { followHistory } from './history.ts';

export interface EventSource {
  readonly client: RunClient;
  readonly run: string;
  readonly firstRunId: string;
  readonly signal: AbortSignal;
  /** False: only what exists now. */
  readonly wait: boolean;
  /** Called each time the server becomes unreachable. */
  readonly onAway?: () => void;
}

/** A run's events from the start, as they become durable, until it ends. Each batch is one server response. */
export async function* followEvents({
  client,
  run,
  firstRunId,
  signal,
  wait,
  onAway,
}: EventSource): AsyncGenerator<readonly RunEvent[]> {
  const projection = createProjection(run);
  const batches = followHistory({
    firstRunId,
    signal,
    isAway,
    onAway,
    poll: (runId, token) => client.readHistory(run, runId, token, { signal, wait }),
  });
  for await (const batch of batches) {
    const events = toHistoryJson(batch).flatMap((event) => projection.apply(event));
    if (events.length > 0) yield events;
    if (projection.finished) return;
  }
}
