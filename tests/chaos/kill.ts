/** Ending processes of a world from outside, and getting its stack back. */
import assert from 'node:assert/strict';
import type { Running, Victim, World } from './world.ts';

/** Ends the victim as a power cut would. False when it does not run just now. */
export function kill(world: World, victim: Victim, run: Running): boolean {
  if (victim === 'terminal') return run.started.child.kill('SIGKILL');
  return signal(world.pidOf(victim), 'SIGKILL');
}

/** False when there is no such process. */
export function signal(pid: number | undefined, name: NodeJS.Signals): boolean {
  try {
    return pid !== undefined && process.kill(pid, name);
  } catch {
    return false; // Gone in between.
  }
}

export const stackParts = ['supervisor', 'worker', 'mirror', 'temporal'] as const;

/** Whatever command comes next starts a supervisor that takes over; one more if that one dies as well. */
export async function bringUp({ machine }: World): Promise<void> {
  for (let tries = 1; ; tries++) {
    const { code, stderr } = await machine.run('up');
    if (code === 0) return;
    assert.ok(tries < 3, `agent up: ${stderr}`);
  }
}

/** Ends the whole stack at once, and starts it again. */
export async function restart(world: World): Promise<void> {
  for (const pid of stackParts.map((name) => world.pidOf(name))) signal(pid, 'SIGKILL');
  await bringUp(world);
}
