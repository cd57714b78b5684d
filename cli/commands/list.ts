import { homedir } from 'node:os';
import { readSettings } from '../../config/environment.ts';
import { defineCommand } from '../command.ts';
import { toLine } from '../clean.ts';
import type { RunClient } from '../../client/run-client.ts';
import type { RunRow } from '../../client/temporal/rows.ts';
import { printJson, printProgress, printText } from '../render/output.ts';
import { renderTable } from '../render/table.ts';
import { renderAge, renderCount } from '../render/render.ts';
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

/** Pure; `columns` is the window's. */
export const renderRuns = (rows: readonly RunRow[], now: Date, columns?: number): string =>
  renderTable(
    {
      head: ['RUN', 'STATUS', 'STEP', 'AGE', 'TOOLS', 'TOKENS', 'FOLDER', 'GOAL'],
      rows: rows.map((row) => [
        row.run,
        row.status,
        row.step,
        renderAge(now.getTime() - Date.parse(row.started)),
        String(row.toolCalls),
        renderCount(row.tokens),
        renderFolder(row.workspace),
        toLine(row.goal, 200),
      ]),
      spare: ['TOKENS', 'TOOLS', 'STEP', 'AGE', 'FOLDER'],
    },
    columns,
  );

const maxFolder = 30;

/** `~/shop`; of a long path its end, which tells folders apart. */
export function renderFolder(path: string, home = homedir()): string {
  const short = path === home || path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
  const line = toLine(short, 4_096);
  return line.length <= maxFolder ? line : `…${line.slice(1 - maxFolder)}`;
}
