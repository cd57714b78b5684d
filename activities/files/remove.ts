import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';

/** Removes a folder of ours with whatever a run made in it: closed folders and paths too long for the system, too. */
export function removeTree(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
    return;
  } catch {
    // These two go down by descriptors.
    spawnSync('chmod', ['-R', 'u+rwX', '--', folder]);
    const { stderr } = spawnSync('rm', ['-rf', '--', folder], { encoding: 'utf8' });
    if (existsSync(folder)) throw new Error(`${folder} cannot be removed: ${stderr.slice(0, 300)}`);
  }
}
