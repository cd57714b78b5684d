import { readSettings } from '../../config/environment.ts';
import { defineCommand } from '../command.ts';
import { toLine } from '../clean.ts';
import type { RunClient } from '../../client/run-client.ts';
import type { RunRow } from '../../client/temporal/rows.ts';
import { printJson, printProgress, printText, renderTable } from '../render/output.ts';
import { renderAge } from '../render/render.ts';
import { connectRunning, withClient } from '../../client/connect.ts';
import { toTroubledStatus } from '../render/trouble.ts';

const usual = 50;
const maxRuns = 10_000;

/** `agent list`: runs, newest first. Without a server it reads the run logs; starts nothing. */
export const command = defineCommand({
  options: { all: { help: 'every run, not only the newest 50' } },
  example: 'agent list --json',
  async run({ options, json }) {
    const settings = readSettings();
    const limit = options.all === true ? maxRuns : usual;
    const client = await connectRunning(settings);
    let rows: RunRow[];
    if (client === undefined) {
      const { readLoggedRuns } = await import('../../client/events/run-log.ts');
      rows = (await readLoggedRuns(settings)).slice(0, limit);
      if (rows.length > 0)
        printProgress('The local stack is not running: this is what the logs say.');
    } else {
      rows = await withClient(
        client,
        async () => await addTroubles(client, await client.list(limit)),
      );
    }
    if (json) printJson(rows);
    else if (rows.length === 0) printProgress('No runs yet. Start one: agent run "goal"');
    else printText(renderRuns(rows, new Date()));
    return 0;
  },
});

/** Maximum number of open runs to query: each costs a request. */
const maxAsked = 100;

/** A run whose workflow fails cannot report it itself. */
async function addTroubles(client: RunClient, rows: readonly RunRow[]): Promise<RunRow[]> {
  const asked = new Set(rows.filter(({ open }) => open).slice(0, maxAsked));
  return await Promise.all(
    rows.map(async (row) => {
      const trouble = asked.has(row) ? await client.findTrouble(row.run) : undefined;
      if (trouble === undefined) return row;
      return { ...row, status: toTroubledStatus(trouble), trouble };
    }),
  );
}

export const renderRuns = (rows: readonly RunRow[], now: Date): string =>
  renderTable(
    ['RUN', 'STATUS', 'STEP', 'AGE', 'TOOLS', 'TOKENS', 'GOAL'],
    rows.map((row) => [
      row.run,
      row.status,
      row.step,
      renderAge(now.getTime() - Date.parse(row.started)),
      String(row.toolCalls),
      String(row.tokens),
      toLine(row.goal, 60),
    ]),
  );
