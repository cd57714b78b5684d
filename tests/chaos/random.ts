/** Random kills from a seed: the same seed makes the same choice. */
import { setTimeout } from 'node:timers/promises';
import { anyPassPoints } from './faults.ts';
import { bringUp, kill } from './kill.ts';
import type { RandomTally } from './report.ts';
import type { Session } from './session.ts';
import type { Victim, World } from './world.ts';

type Strike =
  | { readonly point: string; readonly passes: number }
  | { readonly victim: Victim; readonly afterMs: number };

const victims: readonly Victim[] = ['worker', 'temporal', 'mirror', 'supervisor', 'terminal'];

/** mulberry32: small, and the same everywhere. */
function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What a seed does to a run: one to three strikes, by failpoint or at a moment. */
function chooseStrikes(seed: number): Strike[] {
  const random = createRandom(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  return Array.from({ length: 1 + Math.floor(random() * 3) }, () =>
    random() < 0.4
      ? { point: pick(anyPassPoints), passes: Math.floor(random() * 9) }
      : { victim: pick(victims), afterMs: Math.floor(random() * 2_000) },
  );
}

const renderStrike = (strike: Strike): string =>
  'point' in strike ? `${strike.point}@${strike.passes}` : `${strike.victim}+${strike.afterMs}ms`;

/** Harms runs until the minutes are over, at least one. */
export async function tryRandom(
  session: Session,
  seed: number,
  minutes: number | undefined,
): Promise<void> {
  const started = Date.now();
  const tally: RandomTally = {
    seed,
    minutes: 0,
    tried: 0,
    survived: 0,
    slowest: 0,
    kills: new Map(),
  };
  session.tally.random = tally;
  for (let next = seed; ; next = Math.floor(createRandom(next)() * 2 ** 32)) {
    const strikes = chooseStrikes(next);
    const name = `--random --seed ${next} (${strikes.map(renderStrike).join(', ')})`;
    const end = await session.attempt(name, (world, id) =>
      strikeAll(world, id, strikes, tally.kills),
    );
    tally.tried += 1;
    if (end.survived) {
      tally.survived += 1;
      tally.slowest = Math.max(tally.slowest, end.seconds ?? 0);
    }
    tally.minutes = (Date.now() - started) / 60_000;
    if (minutes === undefined || tally.minutes >= minutes) return;
  }
}

async function strikeAll(
  world: World,
  id: string,
  strikes: readonly Strike[],
  kills: RandomTally['kills'],
): Promise<number | undefined> {
  const count = (name: string): unknown => kills.set(name, (kills.get(name) ?? 0) + 1);
  for (const strike of strikes) if ('point' in strike) world.arm(strike.point, strike.passes);
  const run = world.begin(id);
  const hits: number[] = [];
  const timed = strikes.flatMap((strike) => ('victim' in strike ? [strike] : []));
  const killing = timed.map(async ({ victim, afterMs }) => {
    await setTimeout(afterMs);
    if (!kill(world, victim, run)) return;
    hits.push(Date.now());
    count(victim);
  });
  await Promise.all(killing);
  // Without a supervisor nothing else comes back, until the next command.
  if (timed.some(({ victim }) => victim === 'supervisor')) await bringUp(world);
  await run.check();
  for (const strike of strikes) {
    const at = 'point' in strike ? world.hitAt(strike.point) : undefined;
    if (at === undefined || !('point' in strike)) continue;
    hits.push(at);
    count(strike.point);
  }
  return hits.length === 0 ? undefined : await run.recovery(Math.max(...hits));
}
