/** The chaos suite in a minute: the most telling faults, one after the other on one machine. `npm run chaos` has them all. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { Fault } from './fault.ts';
import { failpoints } from './faults.ts';
import { supervisorKilledWatched, temporalKilled } from './outside/kills.ts';
import { toModelAway } from './outside/model.ts';
import { createWorld } from './world.ts';
import type { World } from './world.ts';

interface Case {
  readonly name: string;
  readonly fault: Fault | string;
  /** 0 early, 1 in the middle, 2 late in the work. */
  readonly occasion: number;
}

const cases: readonly Case[] = [
  {
    name: 'a worker that dies before its first snapshot counts leaves the workspace as it was',
    fault: 'pre-ref.before',
    occasion: 0,
  },
  {
    name: 'a command that was begun is taken back and run once',
    fault: 'spawn.after',
    occasion: 1,
  },
  {
    name: 'a command that ended before its commit is taken back and run once',
    fault: 'exit.after',
    occasion: 1,
  },
  { name: 'a call that was committed is not run again', fault: 'post-ref.after', occasion: 2 },
  { name: 'a call that was logged is not logged again', fault: 'completion.before', occasion: 1 },
  {
    name: 'an audit entry that was written half is repaired',
    fault: 'audit.half-written',
    occasion: 1,
  },
  {
    name: 'a mirror that wrote half an event goes on without a gap',
    fault: 'mirror.half-written',
    occasion: 1,
  },
  {
    name: 'a run whose terminal died before it was started can be started again',
    fault: 'cli.announced',
    occasion: 0,
  },
  {
    name: 'a supervisor that dies while it restarts the worker is replaced by the next command',
    fault: 'supervisor.part-ended',
    occasion: 0,
  },
  {
    name: 'a supervisor that is killed is replaced by the terminal that watches',
    fault: supervisorKilledWatched,
    occasion: 0,
  },
  {
    name: 'a Temporal server that is killed comes back with everything it knew',
    fault: temporalKilled,
    occasion: 1,
  },
  {
    name: 'a model server that is away for 5 seconds is waited for',
    fault: toModelAway(5_000),
    occasion: 0,
  },
];

const findFault = (name: string): Fault => {
  const fault = failpoints.find((point) => point.name === name);
  if (fault === undefined) throw new Error(`There is no failpoint ${name}.`);
  return fault;
};

suite('work that is harmed ends as if it had not been', () => {
  let world: World;
  before(async () => {
    world = await createWorld();
  });

  for (const [index, { name, fault, occasion }] of cases.entries())
    test(name, async () => {
      const chosen = typeof fault === 'string' ? findFault(fault) : fault;
      world.disarm();
      const seconds = await chosen.strike(world, `r${index + 1}`, occasion);
      assert.notEqual(seconds, undefined, 'the fault was never reached');
    });

  test('agent down leaves no process and no temporary file', () => world.stop());
  after(() => world.keep());
});
