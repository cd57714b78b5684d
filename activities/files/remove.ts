import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';

/** Removes a folder of ours with anything a run made in it, including unreadable folders and overlong paths. */
export function removeTree(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
    return;
  } catch {
    // Both descend by descriptor.
    spawnSync('chmod', ['-R', 'u+rwX', '--', folder]);
    const { stderr } = spawnSync('rm', ['-rf', '--', folder], { encoding: 'utf8' });
    if (existsSync(folder)) throw new Error(`${folder} cannot be removed: ${stderr.slice(0, 300)}`);
  }
}
