import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Fault } from '../fault.ts';

const hourMs = 3_600_000;
const preload = new URL('./clock.ts', import.meta.url).href;

/**
 * The wall clock of worker, mirror, supervisor and terminal jumps by an hour, forth and back, and by a day: the audit log
 * begins a new file and must not go back. Temporal's own clock cannot be changed without that of the whole machine.
 */
export const clockJump: Fault = {
  name: 'clock-jump',
  where: 'Node processes: an hour on, an hour back, a day on',
  occasions: 3,
  async strike(world, id, occasion) {
    const folder = mkdtempSync(join(tmpdir(), 'chaos-clock-'));
    const clock = join(folder, 'offset');
    const own = await world.another({
      env: { NODE_OPTIONS: `--import=${preload}`, CHAOS_CLOCK: clock },
    });
    try {
      const run = own.begin(id);
      await run.progress(occasion * 2 + 1);
      const at = Date.now();
      writeFileSync(clock, String([hourMs, -hourMs, 24 * hourMs][occasion]));
      await run.progress(occasion * 2 + 3);
      writeFileSync(clock, '0');
      await run.check();
      const seconds = await run.recovery(at);
      await own.stop();
      return seconds;
    } catch (error) {
      throw new Error(`${(error as Error).message} (kept: ${await own.keep()})`, { cause: error });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
