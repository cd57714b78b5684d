import { existsSync, statSync } from 'node:fs';
import type { RunEvent } from '../../audit/events/events.ts';
import { readRunEvents } from '../../audit/events/events.ts';
import type { Settings } from '../../config/environment.ts';
import { toRunLog } from '../../config/folders.ts';
import type { RunRow } from '../temporal/rows.ts';
import { readRunNames } from '../connect.ts';
import type { WatchView } from './watch-view.ts';
import { emptyView, foldEvent } from './watch-view.ts';

/** All events in the run's log; undefined if it has none. Works without a server. */
export async function readLoggedEvents(
  { folders }: Settings,
  run: string,
): Promise<RunEvent[] | undefined> {
  const file = toRunLog(folders.root, run);
  if (!existsSync(file)) return undefined;
  const events: RunEvent[] = [];
  for await (const event of readRunEvents(file)) events.push(event);
  return events;
}

/** The state folder's runs by their logs, newest first. */
export async function readLoggedRuns(settings: Settings): Promise<RunRow[]> {
  const rows = await Promise.all(
    readRunNames(settings).map(async (run) => {
      const events = (await readLoggedEvents(settings, run)) ?? [];
      const written = statSync(toRunLog(settings.folders.root, run)).mtime.toISOString();
      return toRow(run, events, written);
    }),
  );
  return rows.toSorted((a, b) => b.started.localeCompare(a.started));
}

/** `written` replaces the start time of a run without logged events. */
export function toRow(run: string, events: readonly RunEvent[], written: string): RunRow {
  const view = events.reduce(foldEvent, emptyView);
  const { started, finished } = view;
  return {
    run,
    status: finished?.status ?? toStatus(view),
    open: finished === undefined,
    step: view.steps.find(({ state }) => state === 'running')?.id ?? '',
    model: started?.model ?? '',
    tokens: view.tokens,
    toolCalls: view.toolCalls,
    started: started?.time ?? written,
    ended: finished?.time,
    goal: started?.goal ?? '',
    workspace: started?.workspace ?? '',
  };
}

function toStatus(view: WatchView): string {
  if (view.approvals.length > 0 || view.question !== undefined) return 'needs-approval';
  if (view.paused) return 'paused';
  return view.waitingFor === undefined ? 'running' : 'waiting-for-model';
}
