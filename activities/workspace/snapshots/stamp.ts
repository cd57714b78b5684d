import { createHash } from 'node:crypto';
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Coverage } from './scan.ts';

/**
 * Changes whenever anything covered in a small folder does: size, times to the nanosecond, inode and mode of every file, as
 * git's own index would compare them. Spares a git folder, where nearly no call changes anything, the scan.
 */
export function stampFolder(folder: string, { isExcluded }: Coverage): string {
  const hash = createHash('sha1');
  const todo = [''];
  for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
    const entries = readdirSync(join(folder, at), { withFileTypes: true });
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = at === '' ? entry.name : `${at}/${entry.name}`;
      if (isExcluded(path)) continue;
      if (entry.isDirectory()) todo.push(path);
      const stat = lstatSync(join(folder, path), { bigint: true, throwIfNoEntry: false });
      if (stat === undefined) continue;
      // A folder's own times change with lock files that come and go.
      const what = entry.isDirectory()
        ? ''
        : `${stat.size} ${stat.mtimeNs} ${stat.ctimeNs} ${stat.ino}`;
      hash.update(`${path}\0${stat.mode} ${what}\n`);
    }
  }
  return hash.digest('hex');
}
