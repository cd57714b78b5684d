import type { RunEvent } from '../audit/events/events.ts';
import type { RunClient } from '../client/run-client.ts';
import type { WatchView } from '../client/events/watch-view.ts';
import type { Settings } from '../config/environment.ts';

export interface Watch {
  readonly client: RunClient;
  readonly settings: Settings;
  readonly run: string;
  readonly json: boolean;
  /** First event to print, with `json`. */
  readonly from: number;
}

/** Where a watched run is shown. */
export interface Viewer {
  /** The run's state after `events`. */
  show(events: readonly RunEvent[], view: WatchView): void;
  /** Prints a line that is not from an event. */
  readonly say: (line: string) => void;
  /** Resolves when the person wants to leave. */
  readonly left: Promise<void>;
  /** Whether a person can answer the run's questions here. */
  readonly answers: boolean;
  close(): Promise<void>;
}
