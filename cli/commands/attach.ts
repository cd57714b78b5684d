import { readSettings } from '../../config/environment.ts';
import type { Invocation } from '../arguments.ts';
import { parseCount, textOf } from '../run-options.ts';
import { connectFor, parseRun, withClient } from '../../client/connect.ts';
import { watchRun } from '../watch.ts';
import { printProgress } from '../render/output.ts';

/** `agent attach`: shows a run from its beginning to its end, and takes answers to what it asks. */
export async function attachRun({ args, flags }: Invocation): Promise<number> {
  const run = parseRun(args[0]);
  const from = parseCount('--from', textOf(flags, 'from') ?? '1');
  const settings = readSettings();
  const client = await connectFor(settings, run, printProgress);
  return await withClient(client, () =>
    watchRun({ client, settings, run, json: flags['json'] === true, from }),
  );
}
