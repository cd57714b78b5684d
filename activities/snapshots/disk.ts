import { rmdirSync, unlinkSync } from 'node:fs';
import type { BytePath } from './byte-path.ts';
import { parentOf, toFile } from './byte-path.ts';

export function unlinkQuietly(file: Buffer): void {
  try {
    unlinkSync(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
  }
}

/** Removes a folder and its parents, up to the first that is not empty or must stay. */
export function removeFolders(root: string, from: BytePath, keep: ReadonlySet<BytePath>): void {
  for (let path = from; path !== '' && !keep.has(path); path = parentOf(path)) {
    try {
      rmdirSync(toFile(root, path));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') continue;
      if (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOTDIR') return;
      throw error;
    }
  }
}
