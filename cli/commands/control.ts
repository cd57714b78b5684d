import { readSettings } from '../../config/environment.ts';
import type { Invocation } from '../arguments.ts';
import { toLine } from '../clean.ts';
import type { RunClient } from '../client.ts';
import { usageError } from '../errors.ts';
import { printJson, printText } from '../output.ts';
import { readRedactor } from '../secrets.ts';
import { connectFor, parseRun, readUser, toUnknownRun, withClient } from '../session.ts';

const longestMessage = 4_000;

/** `agent pause`: the run holds after the activity under way. */
export const pauseRuns = (invocation: Invocation): Promise<number> =>
  send(invocation, 'is asked to pause after what is under way', async (client, run) => {
    const { pauseRun } = await import('../../workflows/contract.ts');
    return await client.signal(run, pauseRun, readUser());
  });

/** `agent resume`: a paused run goes on. */
export const resumeRuns = (invocation: Invocation): Promise<number> =>
  send(invocation, 'goes on', async (client, run) => {
    const { resumeRun } = await import('../../workflows/contract.ts');
    return await client.signal(run, resumeRun, readUser());
  });

/** `agent cancel`: the run ends; the changes it made stay. */
export const cancelRuns = (invocation: Invocation): Promise<number> =>
  send(invocation, 'is asked to end', async (client, run) => {
    const { cancelRun } = await import('../../workflows/contract.ts');
    return await client.signal(run, cancelRun, readUser());
  });

/** `agent say`: the model reads the message at its next turn. */
export const sayToRuns = (invocation: Invocation): Promise<number> => {
  const typed = (invocation.args[1] ?? '').trim();
  const message = readRedactor(readSettings()).mask(typed);
  if (message === '') throw usageError('The message is empty. Usage: agent say <run> "message"');
  if (message.length > longestMessage) {
    throw usageError(
      `The message is ${message.length} characters long; at most ${longestMessage} are accepted.`,
    );
  }
  return send(invocation, `will read: ${toLine(message, 60)}`, async (client, run) => {
    const { sayToRun } = await import('../../workflows/contract.ts');
    return await client.signal(run, sayToRun, message, readUser());
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
