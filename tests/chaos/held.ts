/** Failpoints between a command's end and the commit of what it changed, where a rule asks about that or denies it. */
import type { Fault } from './fault.ts';
import { secondsAfter, waitForHit } from './world.ts';

/** Alone; with a death in the work before it; and twice. */
const whileHeld = (name: string): Fault => ({
  name,
  where: 'activities/act/hold.ts',
  occasions: 3,
  async strike(world, id, occasion) {
    await world.learn('held');
    if (occasion === 1) world.arm('exit.after');
    world.arm(name);
    const run = world.begin(id, 'held');
    if (occasion === 2) {
      await waitForHit(world, run, name);
      world.arm(name);
    }
    await run.check();
    return await secondsAfter(world, run, name);
  },
});

export const whileHeldBack: readonly Fault[] = [
  'held-ref.before',
  'held-ref.after',
  'parked-ref.before',
  'applied-ref.before',
  'applied-ref.after',
  'applied.after',
  'withheld.after',
].map(whileHeld);
