import { readFileSync } from 'node:fs';
import type { StackFile } from '../../config/stack.ts';
import { endProcess } from '../../config/process.ts';

/**
 * Kills what a dead supervisor left running, by the recorded pids and start times. The worker may finish its work
 * beside its successor; the others lose nothing by being killed at once, and must be gone before their ports and files
 * are reused.
 */
export async function endOrphans(stackFile: string, workerGraceMs: number): Promise<void> {
  let parts: StackFile['parts'];
  try {
    ({ parts } = JSON.parse(readFileSync(stackFile, 'utf8')) as StackFile);
  } catch {
    return; // No stack before us, or a damaged file that has been reported and set aside.
  }
  if (!Array.isArray(parts)) return;
  const others = parts.filter((part) => part.name !== 'worker');
  for (const part of parts) {
    if (part.name === 'worker') void endProcess(part, workerGraceMs);
  }
  await Promise.all(others.map((part) => endProcess(part, 0)));
}
