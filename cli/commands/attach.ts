import { readSettings } from '../../config/environment.ts';
import type { Invocation } from '../arguments.ts';
import { parseCount, textOf } from '../run-options.ts';
import { connectFor, parseRun, withClient } from '../session.ts';
import { watchRun } from '../watch.ts';

/** `agent attach`: shows a run from its beginning to its end, and takes answers to what it asks. */
export async function attachRun({ args, flags }: Invocation): Promise<number> {
  const run = parseRun(args[0]);
  const from = parseCount('--from', textOf(flags, 'from') ?? '1');
  const settings = readSettings();
  const client = await connectFor(settings, run);
  return await withClient(client, () =>
    watchRun({ client, settings, run, json: flags['json'] === true, from }),
  );
}
