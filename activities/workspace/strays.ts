import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const rounds = 20;

/**
 * Ends what a command outside a sandbox left running in sessions of its own: every process that still has the command's mark
 * in its environment. Repeats until a look finds none, for a process may have a child while it is ended.
 */
export async function killMarked(name: string, value: string): Promise<void> {
  if (process.platform !== 'linux') return;
  for (let round = 0; round < rounds; round += 1) {
    const found = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && isMarked(pid));
    if (found.length === 0) return;
    for (const pid of found) {
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch {
        // Gone already.
      }
    }
    await sleep(5);
  }

  function isMarked(pid: string): boolean {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1')
        .split('\0')
        .includes(`${name}=${value}`);
    } catch {
      return false;
    }
  }
}
