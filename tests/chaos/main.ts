/**
 * `npm run chaos -- <point>[@passes]…`: ends the process that passes each point, and checks that nothing is lost or done twice.
 */
import { createWorld } from './world.ts';

const world = await createWorld();
let failed = 0;
try {
  for (const [index, text] of process.argv.slice(2).entries()) {
    const started = performance.now();
    const [point = '', passes = '0'] = text.split('@');
    world.arm(point, Number(passes));
    const run = world.begin(`r${index}`);
    try {
      await run.check();
      const what = world.hasHit(point) ? 'survived' : 'not reached';
      console.log(`${what} ${text} ${Math.round(performance.now() - started)} ms`);
    } catch (error) {
      failed += 1;
      console.log(`BROKEN ${text}: ${(error as Error).message}`);
    }
  }
} finally {
  await world.stop();
}
process.exit(failed === 0 ? 0 : 1);
