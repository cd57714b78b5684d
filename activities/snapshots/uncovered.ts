/**
 * What is in a workspace and not in its snapshot. A snapshot names it, so that nothing takes it for new later: "not in the
 * snapshot" never means "did not exist".
 */
import { lstatSync } from 'node:fs';
import type { BytePath } from './byte-path.ts';
import { toFile, toText } from './byte-path.ts';

/** Path of a file or folder → what it was, as `identify` tells it. A folder stands for all that is below it. */
export type Uncovered = ReadonlyMap<BytePath, string>;

/**
 * Tells one version of a file from the next without reading it: kind, size, times and inode. Of a folder, whether something
 * came into it or went. Undefined for what is not there.
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

/** Identities of paths below a folder; what went away in the meantime is left out. */
export function identifyAll(folder: string, paths: readonly BytePath[]): Uncovered {
  const found = new Map<BytePath, string>();
  for (const path of paths) {
    const identity = identify(toFile(folder, path));
    if (identity !== undefined) found.set(path, identity);
  }
  return found;
}

/** The entry that says of a path that it is not covered: its own, or that of a folder above it. */
export function findUncovered(uncovered: Uncovered, path: BytePath): BytePath | undefined {
  if (uncovered.size === 0) return undefined;
  for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) {
    const at = path.slice(0, end);
    if (uncovered.has(at)) return at;
  }
  return undefined;
}

/** Something a snapshot names without holding it, and that is not any more what it was. */
export interface Touched {
  /** Relative to the workspace, for people. */
  readonly path: string;
  readonly kind: 'changed' | 'gone' | 'moved';
  /** A dependency folder or a cache, which its tools make again, or one that cannot be read. */
  readonly isFolder: boolean;
  /** Where it is now. */
  readonly to?: string;
}

const inodeOf = (identity: string): string => identity.split(' ', 2).join(' ');

/** What `before` names as uncovered and is not as it was; `now` is what the workspace is known to hold uncovered at present. */
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
