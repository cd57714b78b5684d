import type { Fault } from '../fault.ts';
import { bringUp, kill, restart } from '../kill.ts';
import type { Running, Victim, World } from '../world.ts';

/** After 1, 4 and 7 of the 9 calls. */
const callsAt = (occasion: number): number => occasion * 3 + 1;

const killing = (
  name: string,
  where: string,
  end: (world: World, run: Running) => Promise<void> | void,
): Fault => ({
  name,
  where,
  occasions: 3,
  async strike(world, id, occasion) {
    const run = world.begin(id);
    await run.progress(callsAt(occasion));
    const at = Date.now();
    await end(world, run);
    await run.check();
    return await run.recovery(at);
  },
});

const killingOne = (victim: Victim): Fault =>
  killing(`${victim}-killed`, 'SIGKILL in mid-run', async (world, run) => {
    kill(world, victim, run);
    // Whatever command comes next starts another one.
    if (victim === 'supervisor') await bringUp(world);
  });

export const temporalKilled = killingOne('temporal');

/** A stack that is down on purpose looks the same: whoever watches a run wants it to go on. */
export const supervisorKilledWatched = killing(
  'supervisor-killed-watched',
  'SIGKILL in mid-run, and no other command',
  (world, run) => {
    kill(world, 'supervisor', run);
  },
);

export const kills: readonly Fault[] = [
  temporalKilled,
  ...(['worker', 'mirror', 'supervisor', 'terminal'] as const).map(killingOne),
  supervisorKilledWatched,
  killing('all-killed', 'SIGKILL of the whole stack and the terminal', async (world, run) => {
    kill(world, 'terminal', run);
    await restart(world);
  }),
  killing('worker-and-temporal-killed', 'SIGKILL of both at once', (world, run) => {
    kill(world, 'temporal', run);
    kill(world, 'worker', run);
  }),
];
