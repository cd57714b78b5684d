import { readSettings } from '../../config/environment.ts';
import { defineCommand } from '../command.ts';
import { connectFor, parseRun, withClient } from '../../client/connect.ts';
import { watchRun } from '../watch.ts';
import { printProgress } from '../render/output.ts';
import { parseCount } from '../values.ts';

/** `agent attach`: shows a run from start to end and takes answers to its questions. */
export const command = defineCommand({
  options: { from: { value: 'seq', help: 'with --json: first event to print', parse: parseCount } },
  example: `agent attach brave-otter-4f2a`,
  streams: true,
  async run({ args, options, json }) {
    const run = parseRun(args[0]);
    const { from = 1 } = options;
    const settings = readSettings();
    const client = await connectFor(settings, run, printProgress);
    return await withClient(client, () => watchRun({ client, settings, run, json, from }));
  },
});
