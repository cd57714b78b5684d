/** `npm run chaos`: ends processes and takes things away at named and at random points, and checks that nothing is lost. */
import { failpoints } from './faults.ts';
import type { Fault } from './fault.ts';
import { parseFlags, usage } from './flags.ts';
import type { Flags } from './flags.ts';
import { toOutside } from './outside/all.ts';
import { tryRandom } from './random.ts';
import { renderFaults, writeReport } from './report.ts';
import { createSession } from './session.ts';

function refuse(message: string): never {
  console.error(`${message}\n\n${usage}`);
  process.exit(2);
}

function readFlags(): Flags {
  try {
    return parseFlags(process.argv.slice(2));
  } catch (error) {
    return refuse((error as Error).message);
  }
}

/** Faults that the words ask for. */
function chooseFaults({ points, faults, only, all }: Flags): Fault[] {
  const outside = toOutside({ modelAwayMs: all ? 120_000 : 5_000 });
  const known = [...failpoints, ...outside];
  for (const name of only) {
    if (known.some((fault) => fault.name === name)) continue;
    refuse(`There is no fault "${name}". Known: ${known.map((fault) => fault.name).join(', ')}.`);
  }
  if (only.length > 0) return known.filter(({ name }) => only.includes(name));
  return [...(points ? failpoints : []), ...(faults ? outside : [])];
}

const flags = readFlags();
const chosen = chooseFaults(flags);
const started = performance.now();
const session = await createSession();
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.once(name, () => void session.leave().finally(() => process.exit(130)));
for (const fault of chosen) await session.tryFault(fault);
if (flags.random) await tryRandom(session, flags.seed, flags.minutes);
await session.end();

const { tally } = session;
if (tally.rows.length > 0) console.log(`\n${renderFaults(tally)}\n`);
if (tally.random !== undefined) {
  const { tried, survived, minutes, seed } = tally.random;
  console.log(`Random: ${survived} of ${tried} survived, ${minutes.toFixed(1)} min, seed ${seed}.`);
}
if (flags.all) console.log(`Written: ${writeReport(tally, (performance.now() - started) / 1000)}`);
console.log(tally.broken.length === 0 ? 'Nothing broke.' : `${tally.broken.length} broken.`);
process.exit(tally.broken.length === 0 ? 0 : 1);
