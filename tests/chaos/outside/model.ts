import { setTimeout } from 'node:timers/promises';
import type { Fault } from '../fault.ts';

/** The model server is gone for a while. The run waits and goes on. */
export const toModelAway = (ms: number): Fault => ({
  name: 'model-away',
  where: `model server, for ${ms / 1000} s`,
  occasions: 1,
  async strike(world, id) {
    const run = world.begin(id);
    await run.progress(2);
    await world.closeModel();
    await setTimeout(ms);
    await world.openModel();
    const back = Date.now();
    await run.check(ms + 90_000);
    return await run.recovery(back);
  },
});

/** Every answer of the model breaks off half-way the first time. */
export const cutStream: Fault = {
  name: 'cut-stream',
  where: 'model server, each answer once',
  occasions: 1,
  async strike(world, id) {
    const at = Date.now();
    const run = world.begin(id, 'cut');
    await run.check(180_000);
    return await run.recovery(at);
  },
};
