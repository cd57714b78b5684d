import { setTimeout } from 'node:timers/promises';
import type { Fault } from '../fault.ts';
import { signal, stackParts } from '../kill.ts';

const sleepMs = 15_000;

/** A laptop that is closed and opened: every process stands still for longer than a heartbeat may stay out. */
export const sleep: Fault = {
  name: 'sleep',
  where: 'SIGSTOP of all processes for 15 s',
  occasions: 3,
  async strike(world, id, occasion) {
    const run = world.begin(id);
    await run.progress(occasion * 3 + 1);
    const pids = [...stackParts.map((name) => world.pidOf(name)), run.started.child.pid];
    for (const pid of pids) signal(pid, 'SIGSTOP');
    await setTimeout(sleepMs);
    const awake = Date.now();
    for (const pid of pids) signal(pid, 'SIGCONT');
    await run.check();
    return await run.recovery(awake);
  },
};
