import type { RunEvent } from '../../audit/events/events.ts';
import type { Settings } from '../../config/environment.ts';
import type { RunClient } from '../run-client.ts';
import { readLoggedEvents } from './run-log.ts';
import { connectRunning, toUnknownRun, withClient } from '../connect.ts';

/**
 * A run's events so far: from its log if it has ended, else from the server if there is one. @throws ClientError if
 * neither knows the run.
 */
export async function readEventsSoFar(
  settings: Settings,
  run: string,
): Promise<readonly RunEvent[]> {
  const logged = await readLoggedEvents(settings, run);
  if (logged?.at(-1)?.type === 'run.finished') return logged;
  const client = await connectRunning(settings).catch((error: unknown) => {
    if (logged === undefined) throw error;
    return undefined;
  });
  if (client === undefined) {
    if (logged === undefined) throw await toUnknownRun(settings, run);
    return logged;
  }
  return await withClient(client, async () => {
    const found = await client.describe(run);
    if (found !== undefined) return await readFromServer(client, run, found.firstRunId);
    if (logged === undefined) throw await toUnknownRun(settings, run, client);
    return logged;
  });
}

async function readFromServer(
  client: RunClient,
  run: string,
  firstRunId: string,
): Promise<RunEvent[]> {
  const { followEvents } = await import('./follow.ts');
  const { signal } = new AbortController();
  const all: RunEvent[] = [];
  for await (const events of followEvents({ client, run, firstRunId, signal, wait: false })) {
    all.push(...events);
  }
  return all;
}
