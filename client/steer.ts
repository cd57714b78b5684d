/** Pauses, resumes and ends runs. */
import { setTimeout } from 'node:timers/promises';
import type { RunView } from '../workflows/contract.ts';
import { readUser, toCluster, toUnknownRun } from './connect.ts';
import { ClientError, invalid } from './errors.ts';
import { prove } from './messages.ts';
import type { Recipient } from './messages.ts';
import type { RunClient } from './run-client.ts';

export type Steering = 'pause' | 'resume' | 'cancel';

const isPausing = ({ pausing, now }: RunView): boolean => pausing || now.phase === 'paused';

const isAccepted: Readonly<Record<Steering, (view: RunView) => boolean>> = {
  pause: isPausing,
  resume: (view) => !isPausing(view),
  cancel: ({ now }) => now.phase === 'closing' || now.phase === 'closed',
};

/** @throws ClientError if the run is not open, or a cluster's run did not accept the message. */
export async function steerRun(recipient: Recipient, what: Steering): Promise<void> {
  const { client, settings, run, onProgress } = recipient;
  const { cancelRun, pauseRun, resumeRun } = await import('../workflows/contract.ts');
  const signal = { pause: pauseRun, resume: resumeRun, cancel: cancelRun }[what];
  const by = readUser();
  const proof = await prove(client, run, { what, by }, onProgress);
  if (!(await client.signal(run, signal, by, proof))) throw await toEnded(recipient);
  if (what === 'cancel' && (await client.findTrouble(run))?.what === 'workflow')
    onProgress(
      `Its workflow fails, so it cannot end in an orderly way. To end it at once: agent cancel ${run} --force`,
    );
  if (toCluster(settings) !== undefined) await checkAccepted(client, run, isAccepted[what]);
}

/** The error for a message that found no open run. */
export async function toEnded({ client, settings, run }: Recipient): Promise<Error> {
  const found = await client.describe(run);
  return found === undefined
    ? await toUnknownRun(settings, run, client)
    : invalid(`Run ${run} has ended: ${found.status}. See: agent show ${run}`);
}

/** A run takes a message in as soon as its workers have checked it; what is under way has a few seconds to end. */
const acceptedWithinMs = 10_000;

/**
 * A cluster's worker keys cannot be inspected from here, so check the run instead. @throws ClientError if it did not
 * accept the message; not if there is nobody to ask.
 */
async function checkAccepted(
  client: RunClient,
  run: string,
  accepted: (view: RunView) => boolean,
): Promise<void> {
  for (const deadline = Date.now() + acceptedWithinMs; ; await setTimeout(200)) {
    const view = await client.view(run, 1_000);
    if (view === undefined || accepted(view)) return;
    if (Date.now() > deadline)
      throw new ClientError(
        `Run ${run} has not accepted it within ${acceptedWithinMs / 1_000} seconds. It may still do so if it is busy. If not: is your public key in the file that AGENT_APPROVERS names where the workers run? Their log of refusals: agent audit tail ${run}`,
        'configuration',
      );
  }
}
