import { readSettings } from '../../config/environment.ts';
import type { Invocation } from '../arguments.ts';
import type { RunClient } from '../client.ts';
import { usageError } from '../errors.ts';
import { prove } from '../messages.ts';
import { printJson, printText } from '../output.ts';
import {
  connectFor,
  parseRun,
  printProgress,
  readUser,
  toUnknownRun,
  withClient,
} from '../session.ts';

/** `agent pause`: the run holds after the activity under way. */
export const pauseRuns = (invocation: Invocation): Promise<number> =>
  send(invocation, 'is asked to pause after what is under way', async (client, run) => {
    const { pauseRun } = await import('../../workflows/contract.ts');
    const by = readUser();
    const proof = await prove(client, run, { what: 'pause', by });
    return await client.signal(run, pauseRun, by, proof);
  });

/** `agent resume`: a paused run goes on. */
export const resumeRuns = (invocation: Invocation): Promise<number> =>
  send(invocation, 'goes on', async (client, run) => {
    const { resumeRun } = await import('../../workflows/contract.ts');
    const by = readUser();
    const proof = await prove(client, run, { what: 'resume', by });
    return await client.signal(run, resumeRun, by, proof);
  });

/** `agent cancel`: the run ends; the changes it made stay. */
export const cancelRuns = async (invocation: Invocation): Promise<number> => {
  if (invocation.flags['force'] === true) {
    const { endByForce } = await import('../force.ts');
    return await endByForce(invocation);
  }
  return await send(invocation, 'is asked to end', async (client, run) => {
    const { cancelRun } = await import('../../workflows/contract.ts');
    const by = readUser();
    const proof = await prove(client, run, { what: 'cancel', by });
    const sent = await client.signal(run, cancelRun, by, proof);
    const trouble = sent ? await client.findTrouble(run) : undefined;
    if (trouble?.what === 'workflow')
      printProgress(
        `Its workflow fails, so it cannot end by itself now. At once: agent cancel ${run} --force`,
      );
    return sent;
  });
};

async function send(
  { args, flags }: Invocation,
  outcome: string,
  deliver: (client: RunClient, run: string) => Promise<boolean>,
): Promise<number> {
  const run = parseRun(args[0]);
  const settings = readSettings();
  const client = await connectFor(settings, run);
  await withClient(client, async () => {
    if (await deliver(client, run)) return;
    const found = await client.describe(run);
    if (found === undefined) throw await toUnknownRun(settings, run, client);
    throw usageError(`Run ${run} has ended: ${found.status}. See: agent show ${run}`);
  });
  if (flags['json'] === true) printJson({ run, sent: true });
  else printText(`Run ${run} ${outcome}.`);
  return 0;
}
