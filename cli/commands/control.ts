import { setTimeout } from 'node:timers/promises';
import { readSettings } from '../../config/environment.ts';
import type { RunView } from '../../workflows/contract.ts';
import type { Invocation } from '../arguments.ts';
import type { RunClient } from '../../client/run-client.ts';
import { CliError, usageError } from '../errors.ts';
import { prove } from '../../client/messages.ts';
import { printJson, printProgress, printText } from '../render/output.ts';
import {
  connectFor,
  parseRun,
  readUser,
  toCluster,
  toUnknownRun,
  withClient,
} from '../../client/connect.ts';

/** `agent pause`: the run holds after the activity under way. */
export const pauseRuns = (invocation: Invocation): Promise<number> =>
  send(invocation, 'will pause after the current action', isPausing, async (client, run) => {
    const { pauseRun } = await import('../../workflows/contract.ts');
    const by = readUser();
    const proof = await prove(client, run, { what: 'pause', by }, printProgress);
    return await client.signal(run, pauseRun, by, proof);
  });

/** `agent resume`: a paused run goes on. */
export const resumeRuns = (invocation: Invocation): Promise<number> =>
  send(invocation, 'goes on', isGoingOn, async (client, run) => {
    const { resumeRun } = await import('../../workflows/contract.ts');
    const by = readUser();
    const proof = await prove(client, run, { what: 'resume', by }, printProgress);
    return await client.signal(run, resumeRun, by, proof);
  });

/** `agent cancel`: the run ends; the changes it made stay. */
export const cancelRuns = async (invocation: Invocation): Promise<number> => {
  if (invocation.flags['force'] === true) {
    const { endByForce } = await import('../force.ts');
    return await endByForce(invocation);
  }
  return await send(invocation, 'is asked to stop', isEnding, async (client, run) => {
    const { cancelRun } = await import('../../workflows/contract.ts');
    const by = readUser();
    const proof = await prove(client, run, { what: 'cancel', by }, printProgress);
    const sent = await client.signal(run, cancelRun, by, proof);
    const trouble = sent ? await client.findTrouble(run) : undefined;
    if (trouble?.what === 'workflow')
      printProgress(
        `Its workflow fails, so it cannot end by itself now. At once: agent cancel ${run} --force`,
      );
    return sent;
  });
};

const isPausing = ({ pausing, now }: RunView): boolean => pausing || now.phase === 'paused';
const isGoingOn = (view: RunView): boolean => !isPausing(view);
const isEnding = ({ now }: RunView): boolean => now.phase === 'closing' || now.phase === 'closed';

/** A run takes a message in as soon as its workers have checked it; what is under way has a few seconds to end. */
const takenWithinMs = 10_000;

/**
 * The keys of a cluster's workers are not here to be looked at, so the run is.
 * @throws CliError exit 78 when it did not take the message; not when nobody can be asked.
 */
async function checkTaken(
  client: RunClient,
  run: string,
  isTaken: (view: RunView) => boolean,
): Promise<void> {
  for (const deadline = Date.now() + takenWithinMs; ; await setTimeout(200)) {
    const view = await client.view(run, 1_000);
    if (view === undefined || isTaken(view)) return;
    if (Date.now() > deadline)
      throw new CliError(
        `Run ${run} has not accepted it within ${takenWithinMs / 1_000} seconds. It may still do so if it is busy. If not: is your public key in the file that AGENT_APPROVERS names where the workers run? Their log of refusals: agent audit tail ${run}`,
        78,
      );
  }
}

async function send(
  { args, flags }: Invocation,
  outcome: string,
  isTaken: (view: RunView) => boolean,
  deliver: (client: RunClient, run: string) => Promise<boolean>,
): Promise<number> {
  const run = parseRun(args[0]);
  const settings = readSettings();
  const client = await connectFor(settings, run, printProgress);
  await withClient(client, async () => {
    if (await deliver(client, run)) {
      if (toCluster(settings) !== undefined) await checkTaken(client, run, isTaken);
      return;
    }
    const found = await client.describe(run);
    if (found === undefined) throw await toUnknownRun(settings, run, client);
    throw usageError(`Run ${run} has ended: ${found.status}. See: agent show ${run}`);
  });
  if (flags['json'] === true) printJson({ run, sent: true });
  else printText(`Run ${run} ${outcome}.`);
  return 0;
}
