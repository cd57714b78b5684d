/** The last resort for a run that cannot end by itself. */
import { setTimeout } from 'node:timers/promises';
import { createOrderLedger } from '../audit/record/keys/order-ledger.ts';
import type { Settings } from '../config/environment.ts';
import type { EndAnswer } from '../workers/end-run.ts';
import { runProject } from './child.ts';
import { connectFor, readRunNames, readUser, toUnknownRun, withClient } from './connect.ts';
import { ClientError } from './errors.ts';
import { readLoggedEvents } from './events/run-log.ts';

export interface ForcedEnd extends EndAnswer {
  /** `open`: ended just now. `lost`: unknown to Temporal. Otherwise, how it had already ended. */
  readonly before: string;
  /** False while its record is not closed. */
  readonly recorded: boolean;
}

/** The mirror has a long poll open on every open run; one that is just starting needs a moment. */
const closeWithinMs = 15_000;

/** Terminates the workflow, waits for its record to be closed, and frees the folder. Needs no worker that can carry the run on. */
export async function endByForce(
  settings: Settings,
  run: string,
  onProgress: (line: string) => void,
): Promise<ForcedEnd> {
  const why = `Ended by force by ${readUser()}`;
  const client = await connectFor(settings, run, onProgress);
  const before = await withClient(client, async () => {
    const found = await client.describe(run);
    if (found === undefined && !readRunNames(settings).includes(run))
      throw await toUnknownRun(settings, run, client);
    // First, so that nobody can reset it in between.
    createOrderLedger(settings.folders.orders).endRun(run, found?.order);
    if (found === undefined) return 'lost';
    return (await client.terminate(run, why)) ? 'open' : found.status;
  });
  const recorded = before === 'lost' || (await waitForRecord(settings, run));
  return { before, recorded, ...(await putAway(run, why)) };
}

async function waitForRecord(settings: Settings, run: string): Promise<boolean> {
  for (const deadline = Date.now() + closeWithinMs; Date.now() < deadline; await setTimeout(100)) {
    const events = await readLoggedEvents(settings, run).catch(() => undefined);
    if (events?.at(-1)?.type === 'run.finished') return true;
  }
  return false;
}

async function putAway(run: string, why: string): Promise<EndAnswer> {
  const input = JSON.stringify({ run, why });
  const { code, stdout, stderr } = await runProject('workers/end-run.ts', [], { input });
  if (code === 0) return JSON.parse(stdout) as EndAnswer;
  throw new ClientError(`What run ${run} held could not be cleaned up: ${stderr.trim()}`, 'failed');
}
