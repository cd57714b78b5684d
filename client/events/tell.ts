/** What events refer to, read from the blobs of the state folder. */
import type { Observation } from '../../activities/contract/act.ts';
import type { ApprovalDetails } from '../../activities/contract/approval.ts';
import type { RunEvent } from '../../audit/events/run-event.ts';
import { BlobError, createBlobStore, isRef } from '../../audit/record/blobs.ts';
import type { Settings } from '../../config/environment.ts';
import type { EventOf } from './watch-view.ts';

/** Undefined where the state folder with the run's blobs is not, as on another machine. */
export const readDetails = (
  settings: Settings,
  ref: string | undefined,
): Promise<ApprovalDetails | undefined> => readBlob<ApprovalDetails>(settings, ref);

async function readBlob<T>(settings: Settings, ref: string | undefined): Promise<T | undefined> {
  const text = await readText(settings, ref);
  return text === undefined ? undefined : (JSON.parse(text) as T);
}

async function readText(
  { folders }: Settings,
  ref: string | undefined,
): Promise<string | undefined> {
  if (ref === undefined || !isRef(ref)) return undefined;
  try {
    return await createBlobStore(folders.blobs).getText(ref);
  } catch (error) {
    if (error instanceof BlobError) return undefined;
    throw error;
  }
}

/**
 * The event with what it refers to: the whole action that is asked about, the arguments a person wrote and, for `people`,
 * what a tool returned.
 */
async function tellWhole(settings: Settings, event: RunEvent, people: boolean): Promise<RunEvent> {
  if (event.type === 'tool.output' && people) return await tellOutput(settings, event);
  if (event.type === 'approval.requested') {
    const action = await readDetails(settings, event.details);
    return action === undefined ? event : { ...event, action };
  }
  if (event.type !== 'approval.answered') return event;
  const args = await readBlob<ApprovalDetails['args']>(settings, event.edited);
  return args === undefined ? event : { ...event, args };
}

async function tellOutput(
  settings: Settings,
  event: EventOf<'tool.output'>,
): Promise<EventOf<'tool.output'>> {
  const found = await readBlob<Observation>(settings, event.observation);
  return found === undefined ? event : { ...event, output: found.text, diff: found.diff };
}

export const tellAllWhole = (
  settings: Settings,
  events: readonly RunEvent[],
  people: boolean,
): Promise<RunEvent[]> => Promise.all(events.map((event) => tellWhole(settings, event, people)));

/** All that a call returned: the model may have read less of it. */
export async function readReturned(
  settings: Settings,
  event: EventOf<'tool.output'>,
): Promise<EventOf<'tool.output'>> {
  const found = await readBlob<Observation>(settings, event.observation);
  const whole = found?.whole === undefined ? undefined : await readText(settings, found.whole);
  return { ...event, output: whole ?? found?.text, diff: found?.diff };
}
