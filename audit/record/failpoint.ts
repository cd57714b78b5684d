import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Folder of armed failpoints; only the chaos suite sets it. */
const folder = process.env['AGENT_FAILPOINTS'];

/**
 * Where the chaos suite can kill this process as a power cut would. Armed by a file of this name in AGENT_FAILPOINTS
 * that holds how many passes to survive; the file is removed first, so that the next process lives. `last` runs just
 * before the end. Costs one comparison when not armed.
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
  // The signal is on its way to this thread; nothing more may happen.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}
