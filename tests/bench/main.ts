/** `npm run bench [word…]`: ratios against a baseline of the same run, as a table and as one line of JSON. */
import { createMachine } from '../setup/cli.ts';
import { measureAudit } from './audit.ts';
import type { Row } from './measure.ts';
import { renderTable } from './measure.ts';
import { measureCalls } from './calls.ts';
import { measureIdle } from './idle.ts';
import { measureLong } from './long.ts';
import { measureMany } from './many.ts';
import { measureMirror } from './mirror.ts';
import { measureOutput } from './output.ts';
import { measurePolicies } from './policies.ts';
import { measureRecovery } from './recovery.ts';
import { measureRedaction } from './redaction.ts';
import { measureSandbox } from './sandbox.ts';
import { measureSnapshots } from './snapshots.ts';
import { measureCommands, measureRuns } from './start-up.ts';
import { measureHistory, measureTurn } from './steps.ts';

const words = process.argv.slice(2);
const machine = createMachine();
const rows: Row[] = [];
/** Too long to be part of every bench. */
const onlyNamed = new Set(['long']);

/** Starts the stack, for the parts that need it. Returns Temporal's address. */
async function up(): Promise<string> {
  const started = await machine.run('up');
  if (started.code !== 0) throw new Error(started.stderr);
  const { stdout } = await machine.run('ps', '--json');
  return (JSON.parse(stdout) as { temporal: string }).temporal;
}

try {
  const parts: Readonly<Record<string, () => Promise<Row[]>>> = {
    idle: () => measureIdle(machine),
    commands: async () => {
      await up();
      return await measureCommands(machine);
    },
    turn: async () => measureTurn(await up()),
    history: async () => measureHistory(await up()),
    output: measureOutput,
    audit: measureAudit,
    sandbox: measureSandbox,
    snapshots: measureSnapshots,
    calls: measureCalls,
    policies: measurePolicies,
    recovery: measureRecovery,
    redaction: measureRedaction,
    mirror: measureMirror,
    many: measureMany,
    long: async () => measureLong(await up()),
    runs: async () => {
      await machine.run('down');
      return await measureRuns();
    },
  };
  for (const [name, measure] of Object.entries(parts)) {
    if (words.length > 0 ? !words.includes(name) : onlyNamed.has(name)) continue;
    process.stderr.write(`measuring ${name} …\n`);
    rows.push(...(await measure()));
  }
} finally {
  await machine.stop();
}
console.log(renderTable(rows));
console.log(JSON.stringify(rows));
