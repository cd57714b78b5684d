import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Folder of armed failpoints; set by the chaos suite only. */
const folder = process.env['AGENT_FAILPOINTS'];

/**
 * A place where the chaos suite may end this process as a power cut would. Armed by a file of this name in the folder
 * AGENT_FAILPOINTS that holds how many passes to survive; it is removed before the end, so that the next process lives.
 * `last` is what the process still does before its end. Costs a comparison when the variable is not set.
 */
export function failpoint(name: string, last?: () => void): void {
  if (folder !== undefined) endIfArmed(join(folder, name), last);
}

function endIfArmed(file: string, last?: () => void): void {
  let passes: number;
  try {
    passes = Number(readFileSync(file, 'utf8'));
  } catch {
    return;
  }
  if (passes > 0) {
    writeFileSync(file, String(passes - 1));
    return;
  }
  rmSync(file, { force: true });
  last?.();
  writeFileSync(`${file}.hit`, String(Date.now()));
  process.kill(process.pid, 'SIGKILL');
  // The signal is on its way to this very thread; nothing more may happen meanwhile.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}
