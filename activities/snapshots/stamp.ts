import { createHash } from 'node:crypto';
import { lstatSync, readdirSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { toFile } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import type { Coverage } from './scan.ts';

/** The clock of file times advances in steps of up to 10 ms; what is written within one step looks the same. */
const clockStepMs = 20;

export interface Stamp {
  /** Changes whenever anything covered in the folder does. */
  readonly hash: string;
  /** False when something changed so short a time ago that a later change could bear the same time. */
  readonly settled: boolean;
}

/**
 * Looks at size, times to the nanosecond, inode and mode of every file in a small folder, as git's own index would compare
 * them, and so spares it the scan while nothing changes. Undefined for a folder with more than `most` entries, which git
 * looks through in several threads.
 */
export function stampFolder(
  folder: string,
  { isExcluded }: Coverage,
  most = Number.MAX_SAFE_INTEGER,
): Stamp | undefined {
  const hash = createHash('sha1');
  const begun = BigInt(Date.now() - clockStepMs) * 1_000_000n;
  let settled = true;
  let count = 0;
  const todo: BytePath[] = [''];
  for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
    const entries = readEntries(folder, at);
    if (entries === undefined) {
      hash.update(`${at}\0closed\n`);
      continue;
    }
    count += entries.length;
    if (count > most) return undefined;
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = at === '' ? entry.name : `${at}/${entry.name}`;
      if (isExcluded(path)) {
        hash.update(`${path}\n`);
        continue;
      }
      if (entry.isFolder) todo.push(path);
      const stat = statQuietly(toFile(folder, path));
      if (stat === undefined) {
        hash.update(`${path}\0closed\n`);
        continue;
      }
      if (!entry.isFolder && stat.ctimeNs > begun) settled = false;
      // A folder's own times change with lock files that come and go.
      const what = entry.isFolder ? '' : `${stat.size} ${stat.mtimeNs} ${stat.ctimeNs} ${stat.ino}`;
      hash.update(`${path}\0${stat.mode} ${what}\n`);
    }
  }
  return { hash: hash.digest('hex'), settled };
}

/** Undefined for a folder that cannot be read, is too deep or just went away; the folder itself has to be there. */
function readEntries(folder: string, at: BytePath) {
  try {
    const entries = readdirSync(at === '' ? folder : toFile(folder, at), {
      withFileTypes: true,
      encoding: 'buffer',
    });
    return entries.map((entry) => ({
      name: entry.name.toString('latin1'),
      isFolder: entry.isDirectory(),
    }));
  } catch (error) {
    if (at === '') throw error;
    return undefined;
  }
}

function statQuietly(file: Buffer): BigIntStats | undefined {
  try {
    return lstatSync(file, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
