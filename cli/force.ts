/** `agent cancel --force`: the last resort for a run that cannot end by itself, whatever is broken. */
import { setTimeout } from 'node:timers/promises';
import { createOrderLedger } from '../audit/record/keys/order-ledger.ts';
import { readSettings } from '../config/environment.ts';
import type { Settings } from '../config/environment.ts';
import type { EndAnswer } from '../workers/end-run.ts';
import type { Invocation } from './arguments.ts';
import { runProject } from '../client/child.ts';
import { stripControls, toLine } from './clean.ts';
import { CliError } from './errors.ts';
import { printJson, printProgress, printText } from './render/output.ts';
import { readLoggedEvents } from '../client/events/run-log.ts';
import {
  connectFor,
  parseRun,
  readRunNames,
  readUser,
  toUnknownRun,
  withClient,
} from '../client/connect.ts';

/** The mirror has a long poll open on every run that goes on; one that just starts needs a moment. */
const closeWithinMs = 15_000;

/** Terminates the workflow, waits for its record to be closed, and frees the folder. Needs no worker that can carry the run on. */
export async function endByForce({ args, flags }: Invocation): Promise<number> {
  const run = parseRun(args[0]);
  const settings = readSettings();
  const by = readUser();
  const why = `Ended by force by ${by}`;
  const client = await connectFor(settings, run, printProgress);
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
  const { freed, problems } = await putAway(run, why);
  const was = before === 'open' ? {} : { was: before };
  if (flags['json'] === true)
    printJson({ run, ended: before === 'open', ...was, recorded, freed, problems });
  else {
    printText(renderEnd(run, before));
    for (const folder of freed) printText(`  free again: ${toLine(folder, 400)}`);
    printText(`  its changes stay; to revert them: agent undo ${run}`);
  }
  if (!recorded)
    printProgress(`Its record is not closed yet: the mirror does that as soon as it runs.`);
  for (const problem of problems) printProgress(`Not put away: ${toLine(problem, 400)}`);
  return problems.length === 0 ? 0 : 1;
}

function renderEnd(run: string, before: string): string {
  if (before === 'open') return `Run ${run} was ended by force.`;
  if (before === 'lost')
    return `Temporal does not know run ${run} any more; nothing of it is left running.`;
  return `Run ${run} had ended already: ${before}. What it may have left was cleaned up.`;
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
  throw new CliError(
    `What run ${run} held could not be cleaned up: ${stripControls(stderr).trim()}`,
    1,
  );
}
