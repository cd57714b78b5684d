/** Failpoints of runs that work in copies of the folder: lanes, whose changes are merged, and stages, whose change is promoted. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { threeLanes } from '../workflows/scenarios.ts';
import type { Fault } from './fault.ts';
import { secondsAfter, waitForHit, within } from './world.ts';
import type { WorldOptions } from './world.ts';

const shipped = fileURLToPath(new URL('../../policies/', import.meta.url));

/** A world whose policy has lanes and promotes. */
function toOptions(): WorldOptions {
  const policies = mkdtempSync(join(tmpdir(), 'chaos-policies-'));
  cpSync(shipped, policies, { recursive: true, filter: (path) => !path.endsWith('.ts') });
  const tools = join(policies, 'tools.yaml');
  const text = readFileSync(tools, 'utf8').replace(...threeLanes);
  writeFileSync(tools, text.replace('  promote: manual', '  promote: auto'));
  return {
    env: { AGENT_POLICIES_DIR: policies },
    after: () => rmSync(policies, { recursive: true }),
  };
}

/** At the first merge, the second, the last. */
const whileMerging = (name: string): Fault => ({
  name,
  where: 'activities/act/lanes.ts',
  occasions: 3,
  strike: (world, id, occasion) =>
    within(world, toOptions(), async (own) => {
      await own.learn('lanes');
      own.arm(name, occasion);
      const run = own.begin(id, 'lanes');
      await run.check();
      return await secondsAfter(own, run, name);
    }),
});

/** Once; twice in a row; and with a death in the work before it. */
const whilePromoting = (name: string): Fault => ({
  name,
  where: 'activities/act/promote.ts',
  occasions: 3,
  strike: (world, id, occasion) =>
    within(world, toOptions(), async (own) => {
      await own.learn('staged');
      if (occasion === 2) own.arm('exit.after');
      own.arm(name);
      const run = own.begin(id, 'staged');
      await waitForHit(own, run, name);
      if (occasion === 1) own.arm(name);
      await run.check();
      return await secondsAfter(own, run, name);
    }),
});

export const inCopies: readonly Fault[] = [
  ...['merge.before', 'merge.after'].map(whileMerging),
  ...['promote.before', 'promote.after'].map(whilePromoting),
];
