import { connectFor, parseRun, withClient } from '../client/connect.ts';
import { steerRun } from '../client/steer.ts';
import type { Steering } from '../client/steer.ts';
import { readSettings } from '../config/environment.ts';
import type { Invocation } from './command.ts';
import { printJson, printProgress, printText } from './render/output.ts';

/** Sends the message; `outcome` says what it means for the run. */
export async function steer(
  { args, json }: Pick<Invocation, 'args' | 'json'>,
  what: Steering,
  outcome: string,
): Promise<number> {
  const run = parseRun(args[0]);
  const settings = readSettings();
  const client = await connectFor(settings, run, printProgress);
  const recipient = { client, settings, run, onProgress: printProgress };
  await withClient(client, () => steerRun(recipient, what));
  if (json) printJson({ run, sent: true });
  else printText(`Run ${run} ${outcome}.`);
  return 0;
}
