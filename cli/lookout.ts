/** What a watched run's events do not report: that Temporal is unavailable, and activities that keep failing. */
import type { WatchView } from '../client/events/watch-view.ts';
import { toCluster } from '../client/connect.ts';
import { readStack } from '../client/stack/file.ts';
import { ensureStack } from '../client/stack/stack.ts';
import type { Trouble } from '../client/trouble.ts';
import { renderClock } from './render/clock.ts';
import { renderTrouble } from './render/trouble.ts';
import type { Watch } from './viewer.ts';

export interface Lookout {
  /** Called each time the server goes away. */
  readonly onAway: () => void;
}

const lookMs = 2_000;

export function createLookout(
  { client, settings, run }: Watch,
  say: (line: string) => void,
  toView: () => WatchView,
  signal: AbortSignal,
): Lookout {
  const local = toCluster(settings) === undefined;
  const sayNow = (line: string): void => {
    if (!signal.aborted) say(`${renderClock(new Date().toISOString())} ${line}`);
  };
  let isStarting = false;
  const restart = async (): Promise<void> => {
    isStarting = true;
    try {
      // The address stays the same, so the connection recovers by itself, unless someone deleted the sockets.
      const { temporal } = await ensureStack(settings, { onProgress: say });
      if (temporal !== client.address)
        say(`The stack has moved. To keep watching: Ctrl-C, then agent attach ${run}`);
    } catch (error) {
      say((error as Error).message);
    } finally {
      isStarting = false;
    }
  };
  const onAway = (): void => {
    if (!local) sayNow('Temporal does not answer; waiting for it. The run is not affected.');
    else if (!isStarting) {
      sayNow('The local stack does not answer; starting it again.');
      void restart();
    }
  };
  let told = '';
  // Failed attempts leave no event: only the server knows of them.
  const tellTrouble = async (): Promise<void> => {
    const trouble = await client.findTrouble(run);
    if (trouble === undefined || isModelAway(trouble, toView())) return;
    const key = `${trouble.name} ${trouble.error}`;
    if (key === told) return;
    told = key;
    for (const line of renderTrouble(run, trouble)) sayNow(line);
  };
  void tellTrouble();
  // A killed supervisor may leave Temporal running without a worker, and the run would silently stall.
  const look = setInterval(() => {
    if (local && readStack(settings) === undefined) onAway();
    else void tellTrouble();
  }, lookMs);
  signal.addEventListener('abort', () => clearInterval(look));
  return { onAway };
}

const modelActivities: ReadonlySet<string> = new Set(['plan', 'think', 'review']);
/** Attempts on a failing model server before the run itself reports that it waits. */
const modelAttempts = 5;

const isModelAway = ({ name, attempt }: Trouble, { waitingFor }: WatchView): boolean =>
  modelActivities.has(name) && (waitingFor !== undefined || attempt <= modelAttempts);
