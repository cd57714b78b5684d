import type { RunEvent } from '../../audit/events/events.ts';
import { readSettings } from '../../config/environment.ts';
import type { Settings } from '../../config/environment.ts';
import { defineCommand } from '../command.ts';
import type { RunClient } from '../../client/run-client.ts';
import { tellAllWhole } from '../render/details.ts';
import { readEventsSoFar } from '../../client/events/so-far.ts';
import { printJson, printProgress, printText } from '../render/output.ts';
import { renderEvent } from '../render/render.ts';
import { connectFor, parseRun, toUnknownRun, withClient } from '../../client/connect.ts';
import type { Style } from '../render/style.ts';
import { createStyle } from '../render/style.ts';

/** `agent logs`: events so far; `-f` follows until the run ends. */
export const command = defineCommand({
  options: { follow: { short: 'f', help: 'keep printing until the run ends' } },
  example: `agent logs -f brave-otter-4f2a`,
  streams: true,
  async run({ args, options, json }) {
    const run = parseRun(args[0]);
    const settings = readSettings();
    const style = createStyle(process.stdout, process.env);
    if (options.follow === true) {
      const print = json ? printJson : (event: RunEvent) => printEvent(event, style);
      const client = await connectFor(settings, run, printProgress);
      return await withClient(client, () => follow(settings, client, run, print));
    }
    const events = await tellAllWhole(settings, await readEventsSoFar(settings, run));
    if (json) printJson(events);
    else for (const event of events) printEvent(event, style);
    return 0;
  },
});

async function follow(
  settings: Settings,
  client: RunClient,
  run: string,
  print: (event: RunEvent) => void,
): Promise<number> {
  const found = await client.describe(run);
  if (found === undefined) throw await toUnknownRun(settings, run, client);
  const { followEvents } = await import('../../client/events/follow.ts');
  const { firstRunId } = found;
  // Never aborted: reads until the process ends.
  const { signal } = new AbortController();
  for await (const events of followEvents({ client, run, firstRunId, signal, wait: true })) {
    for (const event of await tellAllWhole(settings, events)) print(event);
  }
  return 0;
}

function printEvent(event: RunEvent, style: Style): void {
  const time = event.time.slice(11, 19);
  for (const line of renderEvent(event, style)) printText(`${style.dim(time)} ${line}`);
}
