/** `npm run chaos`: ends processes and takes things away at named and at random points, and checks that nothing is lost. */
import { failpoints } from './faults.ts';
import type { Fault } from './fault.ts';
import { parseFlags, usage } from './flags.ts';
import type { Flags } from './flags.ts';
import { toOutside } from './outside/all.ts';
import { tryRandom } from './random.ts';
import { renderFaults, writeReport } from './report.ts';
import type { Tally } from './report.ts';
import { createSession } from './session.ts';
import type { Session } from './session.ts';
import { keepAll } from './world.ts';

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
const tally: Tally = { rows: [], broken: [] };
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.once(name, () => {
    tally.interrupted = true;
    report();
    void keepAll()
      .then((kept) => console.log(`kept: ${kept.join(' ')}`))
      .finally(() => process.exit(130));
  });

function report(): void {
  if (flags.all)
    console.log(`Written: ${writeReport(tally, (performance.now() - started) / 1000)}`);
}

/** A machine of its own for each kind of fault, all at the same time: most of a fault is waiting. */
async function inSession(work: (session: Session) => Promise<void>): Promise<void> {
  const session = await createSession(tally);
  await work(session);
  await session.end();
}

const tryAll = (faults: readonly Fault[]): Promise<void>[] =>
  faults.length === 0
    ? []
    : [
        inSession(async (session) => {
          for (const fault of faults) await session.tryFault(fault);
        }),
      ];

const points = chosen.filter((fault) => failpoints.includes(fault));
await Promise.all([
  ...tryAll(points.filter((_, index) => index % 2 === 0)),
  ...tryAll(points.filter((_, index) => index % 2 === 1)),
  ...tryAll(chosen.filter((fault) => !failpoints.includes(fault))),
  ...(flags.random ? [inSession((session) => tryRandom(session, flags.seed, flags.minutes))] : []),
]);

if (tally.rows.length > 0) console.log(`\n${renderFaults(tally)}\n`);
if (tally.random !== undefined) {
  const { tried, survived, minutes, seed } = tally.random;
  console.log(`Random: ${survived} of ${tried} survived, ${minutes.toFixed(1)} min, seed ${seed}.`);
}
report();
console.log(tally.broken.length === 0 ? 'Nothing broke.' : `${tally.broken.length} broken.`);
process.exit(tally.broken.length === 0 ? 0 : 1);
