import { createHash } from 'node:crypto';
import { lstatSync, readdirSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { toFile } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import type { Coverage } from './coverage.ts';

/** File timestamps advance in steps of up to 10 ms; two writes within one step look the same. */
const clockStepMs = 20;

export interface Fingerprint {
  /** Changes whenever anything covered in the folder does. */
  readonly hash: string;
  /** False if something changed so recently that a later change could get the same timestamp. */
  readonly settled: boolean;
}

/**
 * Stamps a small folder by the size, nanosecond times, inode and mode of every file, the same facts git's index
 * compares, and so saves a scan while nothing changes. Undefined above `most` entries: git scans those with several
 * threads.
 */
export function fingerprintFolder(
  folder: string,
  { isExcluded }: Coverage,
  most = Number.MAX_SAFE_INTEGER,
): Fingerprint | undefined {
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
      // A folder's own times change with transient lock files.
      const what = entry.isFolder ? '' : `${stat.size} ${stat.mtimeNs} ${stat.ctimeNs} ${stat.ino}`;
      hash.update(`${path}\0${stat.mode} ${what}\n`);
    }
  }
  return { hash: hash.digest('hex'), settled };
}

/** Undefined if a folder is unreadable, too deep or vanished; the root itself must exist. */
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
