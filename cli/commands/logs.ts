import type { RunEvent } from '../../audit/events/events.ts';
import { readSettings } from '../../config/environment.ts';
import type { Settings } from '../../config/environment.ts';
import { connectFor, parseRun, toUnknownRun, withClient } from '../../client/connect.ts';
import { readEventsSoFar } from '../../client/events/so-far.ts';
import { readReturned, tellAllWhole } from '../../client/events/tell.ts';
import type { RunClient } from '../../client/run-client.ts';
import { defineCommand } from '../command.ts';
import { usageError } from '../errors.ts';
import { createAccount } from '../render/account.ts';
import { renderClock } from '../render/clock.ts';
import { printJson, printProgress, printText } from '../render/output.ts';
import { renderWhole } from '../render/returned.ts';
import { createStyle } from '../render/style.ts';
import { toColumns } from '../render/table.ts';
import { wrapWords } from '../render/width.ts';
import { parseCount } from '../values.ts';

/** `agent logs`: events so far; `-f` follows until the run ends; `--call` prints everything one call returned. */
export const command = defineCommand({
  options: {
    follow: { short: 'f', help: 'keep printing until the run ends' },
    call: { value: 'n', help: 'only what this tool call returned, all of it', parse: parseCount },
  },
  example: `agent logs -f brave-otter-4f2a`,
  streams: true,
  async run({ args, options, json }) {
    const run = parseRun(args[0]);
    const settings = readSettings();
    if (options.call !== undefined) return await printCall(settings, run, options.call, json);
    const print = json ? printJson : createPrinter();
    if (options.follow === true) {
      const client = await connectFor(settings, run, printProgress);
      return await withClient(client, () => follow(settings, client, run, !json, print));
    }
    const events = await readEventsSoFar(settings, run);
    for (const event of await tellAllWhole(settings, events, !json)) print(event);
    return 0;
  },
});

async function follow(
  settings: Settings,
  client: RunClient,
  run: string,
  people: boolean,
  print: (event: RunEvent) => void,
): Promise<number> {
  const found = await client.describe(run);
  if (found === undefined) throw await toUnknownRun(settings, run, client);
  const { followEvents } = await import('../../client/events/follow.ts');
  const { firstRunId } = found;
  // Never aborted: reads until the process ends.
  const { signal } = new AbortController();
  for await (const events of followEvents({ client, run, firstRunId, signal, wait: true })) {
    for (const event of await tellAllWhole(settings, events, people)) print(event);
  }
  return 0;
}

function createPrinter(): (event: RunEvent) => void {
  const style = createStyle(process.stdout, process.env);
  const account = createAccount(style);
  return (event) => {
    const clock = renderClock(event.time);
    const columns = toColumns() - clock.length - 1;
    for (const line of account(event).flatMap((told) => wrapWords(told, columns)))
      printText(`${style.dim(clock)} ${line}`);
  };
}

/** @throws CliError exit 2 for a call that has not returned. */
async function printCall(
  settings: Settings,
  run: string,
  call: number,
  json: boolean,
): Promise<number> {
  const found = (await readEventsSoFar(settings, run)).findLast(
    (event) => event.type === 'tool.output' && event.call === call,
  );
  if (found?.type !== 'tool.output')
    throw usageError(`Run ${run} has no finished call ${call}. Its calls: agent logs ${run}`);
  const returned = await readReturned(settings, found);
  if (json) printJson(returned);
  else
    for (const line of renderWhole(returned, createStyle(process.stdout, process.env)))
      printText(line === '' ? '\n' : line);
  return 0;
}
