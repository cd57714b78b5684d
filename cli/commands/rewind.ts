import { readSettings } from '../../config/environment.ts';
import { stepOption } from '../values.ts';
import { toStepId } from '../../client/events/trail.ts';
import { defineCommand } from '../command.ts';
import { usageError } from '../errors.ts';
import { prove } from '../../client/messages.ts';
import { printJson, printProgress, printText } from '../render/output.ts';
import { connectFor, parseRun, readUser, toUnknownRun, withClient } from '../../client/connect.ts';

/** `agent rewind`: returns an open run and its workspace to the start of a step and continues from there. */
export const command = defineCommand({
  options: { step: stepOption },
  example: `agent rewind brave-otter-4f2a --step 2`,
  async run({ args, options, json }) {
    const run = parseRun(args[0]);
    const typed = options.step;
    if (typed === undefined) throw usageError(`Which step? agent rewind ${run} --step 2`);
    const step = toStepId(typed);
    const settings = readSettings();
    const client = await connectFor(settings, run, printProgress);
    return await withClient(client, async () => {
      if ((await client.describe(run)) === undefined)
        throw await toUnknownRun(settings, run, client);
      const by = readUser();
      const proof = await prove(client, run, { what: 'rewind', by, about: step }, printProgress);
      const order = { step, by, proof };
      const { steps, together = [] } = await client.rewind(run, order);
      if (json) printJson({ run, step, again: steps, together });
      else {
        const start = together.length === 0 ? step : `${together.join(', ')}, which began at once`;
        printText(
          `Run ${run} is back at the start of ${start}; it will redo: ${steps.join(', ')}.`,
        );
        printText(`Watch it: agent attach ${run}`);
      }
      return 0;
    });
  },
});
