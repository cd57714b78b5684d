import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const patienceMs = 10_000;

/**
 * Kills every process with the mark in its environment, including those in their own sessions and groups. Repeats until
 * two scans find none, because a child forked during a scan may be missed. For a sandbox, bubblewrap itself has the
 * mark, and the kernel lets it go only when everything inside is gone. @throws if some survive for 10 seconds.
 */
export async function killMarked(name: string, value: string): Promise<void> {
  if (process.platform !== 'linux') return;
  let empty = 0;
  for (const deadline = Date.now() + patienceMs; ;) {
    const found = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && isMarked(pid));
    empty = found.length === 0 ? empty + 1 : 0;
    if (empty === 2) return;
    if (Date.now() > deadline)
      throw new Error(`Processes ${found.join(', ')} of an earlier command did not exit.`);
    for (const pid of found) {
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch {
        // Already gone.
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
