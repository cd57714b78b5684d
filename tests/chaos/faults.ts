/** Every failpoint: where it lives, and how a run is brought to pass it. */
import { inCopies } from './copies.ts';
import type { Fault } from './fault.ts';
import { whileHeldBack } from './held.ts';
import { bringUp, restart } from './kill.ts';
import { secondsAfter, waitForHit } from './world.ts';

/** Passed again and again while a run works: how many passes to survive, early, in the middle and late. */
const working: readonly (readonly [
  where: string,
  passes: readonly number[],
  ...names: string[],
])[] = [
  ['activities/model/answers.ts', [0, 4, 8], 'answer.before', 'answer.after'],
  ['activities/act/authorize.ts', [0, 4, 8], 'decide.before', 'decide.after'],
  ['activities/act/execute-in-transaction.ts', [0, 4, 8], 'intent.after', 'exit.after'],
  ['activities/act/result.ts', [0, 4, 8], 'blob.before', 'blob.after'],
  ['activities/act/record.ts', [0, 4, 8], 'completion.before'],
  ['activities/act/transactions.ts', [0, 4, 8], 'lease.before', 'lease.after'],
  ['activities/act/transact.ts', [0, 4, 8], 'pre-ref.before', 'pre-ref.after'],
  ['activities/act/transact.ts', [0, 4, 8], 'capture.before', 'settle.before'],
  ['activities/act/transact.ts', [0, 4, 8], 'post-ref.before', 'post-ref.after'],
  ['activities/sandbox/start.ts', [0, 3, 5], 'spawn.after'],
  ['activities/sandbox/git/take-over.ts', [0, 1, 2], 'take-over'],
  ['audit/record/writer.ts', [0, 8, 16], 'audit.half-written', 'audit.written', 'audit.synced'],
  ['audit/record/writer.ts', [0, 8, 16], 'mirror.half-written', 'mirror.written', 'mirror.synced'],
  ['audit/mirror/mirror.ts', [0, 8, 16], 'mirror.fetched'],
  ['cli/watch.ts', [0, 6, 12], 'cli.watching'],
];

/** Passed when something else has died: they end a process that is about to mend the first damage. */
const mending: readonly (readonly [where: string, name: string])[] = [
  ['workers/recover.ts', 'recover.taken'],
  ['workers/recover.ts', 'recover.given-back'],
  ['workers/stack/part.ts', 'supervisor.part-ended'],
  ['workers/stack/part.ts', 'supervisor.part-restarted'],
];

/** Passed once in each start of the stack. */
const starting: readonly string[] = [
  'supervisor.claimed',
  'supervisor.orphans-ended',
  'supervisor.listening',
  'supervisor.worker-started',
  'supervisor.temporal-up',
];

/** Passed once in each `agent run`. */
const beginning: readonly string[] = ['cli.connected', 'cli.announced', 'cli.started'];

const whileWorking = (name: string, where: string, passes: readonly number[]): Fault => ({
  name,
  where,
  occasions: passes.length,
  async strike(world, id, occasion) {
    world.arm(name, passes[occasion]);
    const run = world.begin(id);
    await run.check();
    return await secondsAfter(world, run, name);
  },
});

const whileMending = (name: string, where: string): Fault => ({
  name,
  where: `${where}, after exit.after`,
  occasions: 3,
  async strike(world, id, occasion) {
    world.arm('exit.after', occasion * 3 + 1);
    world.arm(name);
    const run = world.begin(id);
    await waitForHit(world, run, name);
    if (name.startsWith('supervisor.')) await bringUp(world);
    await run.check();
    return await secondsAfter(world, run, name);
  },
});

/** Early: the start that the run itself asks for. Later: the start after the loss of a stack with the run in it. */
const whileStarting = (name: string): Fault => ({
  name,
  where: 'workers/stack/supervisor.ts',
  occasions: 3,
  async strike(world, id, occasion) {
    if (occasion === 0) await world.machine.run('down');
    else world.arm('exit.after', occasion * 3);
    if (occasion === 0) world.arm(name);
    const run = world.begin(id);
    if (occasion > 0) {
      await waitForHit(world, run, 'exit.after');
      world.arm(name);
      await restart(world);
    }
    await run.check();
    return await secondsAfter(world, run, name);
  },
});

/** `agent down` in the middle of a run, and its supervisor dies of it. */
const whileStopping: Fault = {
  name: 'supervisor.parts-stopped',
  where: 'workers/stack/supervisor.ts',
  occasions: 3,
  async strike(world, id, occasion) {
    const run = world.begin(id);
    await run.progress(occasion * 3 + 1);
    world.arm(whileStopping.name);
    await world.machine.run('down');
    await bringUp(world);
    await run.check();
    return await secondsAfter(world, run, whileStopping.name);
  },
};

/** Early: alone. In the middle: with the stack down. Late: with the worker dying in the first action as well. */
const whileBeginning = (name: string): Fault => ({
  name,
  where: 'cli/commands/run.ts',
  occasions: 3,
  async strike(world, id, occasion) {
    if (occasion === 1) await world.machine.run('down');
    if (occasion === 2) world.arm('exit.after');
    world.arm(name);
    const run = world.begin(id);
    await run.check();
    return await secondsAfter(world, run, name);
  },
});

export const failpoints: readonly Fault[] = [
  ...working.flatMap(([where, passes, ...names]) =>
    names.map((name) => whileWorking(name, where, passes)),
  ),
  ...mending.map(([where, name]) => whileMending(name, where)),
  ...starting.map(whileStarting),
  whileStopping,
  ...beginning.map(whileBeginning),
  ...inCopies,
  ...whileHeldBack,
];

/** Those a random mode may arm at any pass. */
export const anyPassPoints: readonly string[] = working.flatMap(([, , ...names]) => names);
