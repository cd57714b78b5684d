import { chmodSync, lstatSync } from 'node:fs';
import type { BytePath } from './byte-path.ts';
import { toFile } from './byte-path.ts';
import { findDifferences } from './compare.ts';
import type { Shadow } from './shadow.ts';
import { readUncovered } from './parts.ts';
import { findUncovered } from './uncovered.ts';

/**
 * Makes folders of ours accessible again if someone closed them; otherwise nothing in them could be restored. Returns
 * whether there were any.
 */
export async function openFolders(
  shadow: Shadow,
  current: string,
  target: string,
): Promise<boolean> {
  const { objects, workspace } = shadow;
  const closed = await readUncovered(objects, current);
  const then = await readUncovered(objects, target);
  if (closed.size === 0) return false;
  const wanted = new Set<BytePath>();
  for (const { path } of await findDifferences(shadow, current, target)) {
    const at = findUncovered(closed, path);
    if (at !== undefined && !then.has(at)) wanted.add(at);
  }
  return [...wanted].map((path) => openFolder(toFile(workspace, path))).includes(true);
}

function openFolder(file: Buffer): boolean {
  try {
    const stat = lstatSync(file);
    if (!stat.isDirectory() || (stat.mode & 0o700) === 0o700) return false;
    chmodSync(file, (stat.mode & 0o777) | 0o700);
    return true;
  } catch {
    // Not ours: it stays and is reported.
    return false;
  }
}
