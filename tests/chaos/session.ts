/** Tries faults one after the other, in worlds that are renewed now and then, and counts what becomes of them. */
import type { Fault } from './fault.ts';
import type { Row, Tally } from './report.ts';
import { createWorld } from './world.ts';
import type { World } from './world.ts';

export interface Session {
  readonly tally: Tally;
  /** Tries a fault on all its occasions. */
  tryFault(fault: Fault): Promise<void>;
  /** Tries something once. Returns the seconds the run stood still, or the trouble. */
  attempt(
    name: string,
    strike: (world: World, id: string) => Promise<number | undefined>,
  ): Promise<Attempted>;
  end(): Promise<void>;
}

export type Attempted =
  { readonly survived: true; readonly seconds: number | undefined } | { readonly survived: false };

/** Each run makes the record longer that is verified after the next. */
const runsPerWorld = 24;

/** Counts go to `tally`. */
export async function createSession(tally: Tally): Promise<Session> {
  let world = await createWorld();
  let runs = 0;
  let count = 0;

  const report = (name: string, error: unknown): void => {
    const message = (error as Error).message;
    tally.broken.push(`${name}: ${message.split('\n')[0]}`);
    console.log(`BROKEN ${name}: ${message}`);
  };

  const renew = async (): Promise<void> => {
    const next = await world.another();
    await world.stop().catch(async (error: unknown) => {
      report(`what the last ${runs} runs left`, error);
      console.log(`  kept: ${await world.keep()}`);
    });
    world = next;
    runs = 0;
  };

  const attempt: Session['attempt'] = async (name, strike) => {
    if (runs === runsPerWorld) await renew();
    runs += 1;
    count += 1;
    const started = performance.now();
    try {
      const seconds = await strike(world, `r${count}`);
      world.disarm();
      const took = ((performance.now() - started) / 1000).toFixed(1);
      console.log(`${seconds === undefined ? 'not reached' : 'survived'} ${name} ${took} s`);
      return { survived: true, seconds };
    } catch (error) {
      report(name, error);
      const broken = world;
      world = await broken.another();
      runs = 0;
      console.log(`  run r${count}, kept: ${await broken.keep()}`);
      return { survived: false };
    }
  };

  return {
    tally,
    attempt,
    async tryFault(fault) {
      const { name, where, occasions, untried } = fault;
      const row: Row = { name, where, tried: 0, survived: 0, missed: 0, slowest: 0 };
      tally.rows.push(row);
      if (untried !== undefined) {
        row.untried = untried;
        console.log(`not tried here ${name}: ${untried}`);
        return;
      }
      for (let occasion = 0; occasion < occasions; occasion++) {
        const end = await attempt(`${name} ${occasion + 1}/${occasions}`, (inWorld, id) =>
          fault.strike(inWorld, id, occasion),
        );
        if (end.survived && end.seconds === undefined) {
          row.missed += 1;
          continue;
        }
        row.tried += 1;
        if (!end.survived) continue;
        row.survived += 1;
        row.slowest = Math.max(row.slowest, end.seconds ?? 0);
      }
    },
    async end() {
      await world.stop().catch(async (error: unknown) => {
        report(`what the last ${runs} runs left`, error);
        console.log(`  kept: ${await world.keep()}`);
      });
    },
  };
}
