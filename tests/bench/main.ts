/** `npm run bench [word…]`: ratios against a baseline of the same run, as a table and as one line of JSON. */
import { createMachine } from '../setup/cli.ts';
import { measureAudit } from './audit.ts';
import type { Row } from './measure.ts';
import { renderTable } from './measure.ts';
import { measureOutput } from './output.ts';
import { measureCommands, measureRuns } from './start-up.ts';
import { measureHistory, measureTurn } from './steps.ts';

const words = process.argv.slice(2);
const machine = createMachine();
const rows: Row[] = [];
try {
  const up = await machine.run('up');
  if (up.code !== 0) throw new Error(up.stderr);
  const { stdout } = await machine.run('ps', '--json');
  const { temporal } = JSON.parse(stdout) as { temporal: string };
  const parts: Readonly<Record<string, () => Promise<Row[]>>> = {
    commands: () => measureCommands(machine),
    turn: () => measureTurn(temporal),
    history: () => measureHistory(temporal),
    output: measureOutput,
    audit: measureAudit,
    runs: async () => {
      await machine.run('down');
      return await measureRuns();
    },
  };
  for (const [name, measure] of Object.entries(parts)) {
    if (words.length > 0 && !words.includes(name)) continue;
    process.stderr.write(`measuring ${name} …\n`);
    rows.push(...(await measure()));
  }
} finally {
  await machine.stop();
}
console.log(renderTable(rows));
console.log(JSON.stringify(rows));
