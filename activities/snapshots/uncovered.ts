/**
 * What exists in a workspace but not in its snapshot. The snapshot lists it, so that it is never mistaken for new: "not
 * in the snapshot" does not mean "did not exist".
 */
import { lstatSync } from 'node:fs';
import type { BytePath } from './byte-path.ts';
import { toFile, toText } from './byte-path.ts';

/** Path of a file or folder → its identity. A folder stands for everything below it. */
export type Uncovered = ReadonlyMap<BytePath, string>;

/**
 * Identifies a version of a file without reading it: kind, size, times and inode. For a folder, changes when an entry
 * is added or removed. Undefined if nothing is there.
 */
export function identify(file: Buffer): string | undefined {
  try {
    const stat = lstatSync(file, { bigint: true });
    if (stat.isDirectory()) return `folder ${stat.ino} ${stat.mtimeNs}`;
    const kind = stat.isFile() ? 'file' : 'special';
    return `${kind} ${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? undefined : 'unknown';
  }
}

/** Identities of paths below a folder; vanished ones are omitted. */
export function identifyAll(folder: string, paths: readonly BytePath[]): Uncovered {
  const found = new Map<BytePath, string>();
  for (const path of paths) {
    const identity = identify(toFile(folder, path));
    if (identity !== undefined) found.set(path, identity);
  }
  return found;
}

/** The entry that makes a path uncovered: its own, or a parent folder's. */
export function findUncovered(uncovered: Uncovered, path: BytePath): BytePath | undefined {
  if (uncovered.size === 0) return undefined;
  for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
    const at = path.slice(0, end);
    if (uncovered.has(at)) return at;
  }
  return undefined;
}

/** An uncovered path that has changed. */
export interface Touched {
  /** Relative to the workspace, for people. */
  readonly path: string;
  readonly kind: 'changed' | 'gone' | 'moved';
  /** A dependency folder or cache, which tools can recreate, or an unreadable folder. */
  readonly isFolder: boolean;
  /** Where it was moved to. */
  readonly to?: string;
}

const inodeOf = (identity: string): string => identity.split(' ', 2).join(' ');

/** Uncovered paths of `before` that have changed; `now` lists what is uncovered at present. */
export function findTouched(workspace: string, before: Uncovered, now: Uncovered): Touched[] {
  const touched: Touched[] = [];
  const places = new Map([...now].map(([path, identity]) => [inodeOf(identity), path]));
  for (const [path, identity] of before) {
    const is = identify(toFile(workspace, path));
    if (is === identity || is === 'unknown' || identity === 'unknown') continue;
    const place = places.get(inodeOf(identity));
    const isFolder = identity.startsWith('folder');
    const about = { path: toText(path), isFolder };
    if (is !== undefined) touched.push({ ...about, kind: 'changed' });
    else if (place === undefined || before.has(place)) touched.push({ ...about, kind: 'gone' });
    else touched.push({ ...about, kind: 'moved', to: toText(place) });
  }
  return touched;
}
