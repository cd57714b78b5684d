/**
 * Permission bits, of which git keeps only one. A snapshot names every file and folder whose bits are other than those of
 * a new one, so that what a command did to them can be reverted.
 */
import { chmodSync, existsSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BytePath } from './byte-path.ts';
import { parentOf, toFile } from './byte-path.ts';
import { lookAt } from './entries.ts';
import type { Git, View } from './git.ts';
import { splitNul } from './git.ts';
import type { Scan } from './scan.ts';

/** Path of a file or folder, '' for the repository's own → its permission bits, where they are not plain. */
export type Modes = ReadonlyMap<BytePath, number>;

/** What is known of the modes in a folder, so that the next look is short. */
export interface Look {
  readonly modes: Modes;
  /** Every folder: git does not say when their bits change. */
  readonly folders: ReadonlySet<BytePath>;
  /**
   * Files to look at again: git's index may not have them, so it would not say that they went; and it compares times by the
   * second, so it would miss a second change in the same one.
   */
  readonly again: ReadonlySet<BytePath>;
}

const permissions = 0o777;
/** Set-id bits and the sticky bit stay as they are: a command can set none. */
const others = 0o7000;

const umask = process.umask();

/** Bits that a new file or folder gets from this process. */
const toPlain = (isFolder: boolean, isProgram: boolean): number =>
  (isFolder || isProgram ? 0o777 : 0o666) & ~umask;

/** Whether fewer may read or write a file than one that was just made. */
export const isRestricted = (mode: number | undefined): boolean =>
  mode !== undefined && (toPlain(false, false) & ~mode) !== 0;

/** Undefined for what has plain bits, and for what has none of its own. */
function readMode(stat: Stats): number | undefined {
  const bits = stat.mode & permissions;
  if (!stat.isFile() && !stat.isDirectory()) return undefined;
  return bits === toPlain(stat.isDirectory(), (bits & 0o100) !== 0) ? undefined : bits;
}

/** A path without a mode of its own is plain. */
function put(modes: Map<BytePath, number>, path: BytePath, mode: number | undefined): void {
  if (mode === undefined) modes.delete(path);
  else modes.set(path, mode);
}

const recentMs = 2_000;

/** So many at a time, for everything else in this process. */
const maxAtOnce = 2_000;

/**
 * The modes of what a scan covers. Given the last look, only what the scan found changed is looked at again, and every folder:
 * a change of bits changes a file's ctime, which git compares, too.
 */
export async function lookAtModes(
  { git }: { readonly git: Git },
  view: View,
  scan: Pick<Scan, 'empty' | 'changed'>,
  last?: Look,
): Promise<Look> {
  const modes = new Map(last?.modes);
  const folders = new Set(last?.folders);
  const again = new Set(scan.changed);
  const files = new Set([...scan.changed, ...(last?.again ?? [])]);
  if (last === undefined && existsSync(join(view.repository, view.index)))
    for (const path of splitNul(await git(view, ['ls-files', '-z']))) files.add(path);
  for (const path of files) addFolders(folders, path);
  folders.add('');
  const look = (path: BytePath): Stats | undefined => {
    const stat = lookAt(toFile(view.folder, path));
    const found = stat === 'unreachable' ? undefined : stat;
    put(modes, path, found && readMode(found));
    return found;
  };
  const lookAtFile = (path: BytePath): void => {
    const stat = look(path);
    if (stat !== undefined && stat.ctimeMs > Date.now() - recentMs) again.add(path);
  };
  for (const path of scan.empty) folders.add(path);
  await inTurns([...files], lookAtFile);
  await inTurns([...folders], (path) => {
    if (look(path)?.isDirectory() !== true) folders.delete(path);
  });
  return { modes, folders, again };
}

function addFolders(folders: Set<BytePath>, path: BytePath): void {
  for (let at = parentOf(path); at !== '' && !folders.has(at); at = parentOf(at)) folders.add(at);
}

async function inTurns(
  paths: readonly BytePath[],
  work: (path: BytePath) => unknown,
): Promise<void> {
  for (const [index, path] of paths.entries()) {
    work(path);
    if (index % maxAtOnce === maxAtOnce - 1) await nextTurn();
  }
}

/** The modes with those of some files as they are on disk now. */
export function updateModes(modes: Modes, root: string, paths: readonly BytePath[]): Modes {
  const updated = new Map(modes);
  for (const path of paths) {
    const stat = lookAt(toFile(root, path));
    put(updated, path, stat === undefined || stat === 'unreachable' ? undefined : readMode(stat));
  }
  return updated;
}

interface ThreeModes {
  readonly base: Modes | undefined;
  readonly ours: Modes | undefined;
  readonly theirs: Modes | undefined;
}

/**
 * Ours with what theirs changed since the base; where ours changed the same, ours stay. Undefined where ours are not known,
 * ours as they are where one of the others is not: snapshots of older versions do not say.
 */
export function mergeModes({ base, ours, theirs }: ThreeModes): {
  readonly modes: Modes | undefined;
  readonly changed: readonly BytePath[];
} {
  if (base === undefined || ours === undefined || theirs === undefined)
    return { modes: ours, changed: [] };
  const merged = new Map(ours);
  const changed: BytePath[] = [];
  for (const path of new Set([...base.keys(), ...theirs.keys()])) {
    const [was, is] = [base.get(path), theirs.get(path)];
    if (was === is || ours.get(path) !== was) continue;
    put(merged, path, is);
    changed.push(path);
  }
  return { modes: merged, changed };
}

/** The modes with those of some paths as others have them. */
export function takeModes(
  modes: Modes | undefined,
  from: Modes | undefined,
  paths: readonly BytePath[],
): Modes | undefined {
  if (modes === undefined || from === undefined) return modes;
  const taken = new Map(modes);
  for (const path of paths) put(taken, path, from.get(path));
  return taken;
}

interface Wanted {
  readonly current: Modes | undefined;
  readonly target: Modes;
  /** Files just written, with plain bits. */
  readonly written: Iterable<BytePath>;
  /** Not ours to touch. */
  readonly mustStay: (path: BytePath) => boolean;
}

/** Gives files and folders the bits they had; innermost first, as a folder may be closed by its own. */
export function restoreModes(root: string, { current, target, written, mustStay }: Wanted): void {
  const paths = new Set([...(current?.keys() ?? []), ...target.keys(), ...written]);
  const plainFolders = new Map<BytePath, boolean>([['', true]]);
  /** A link on the way could lead out of the workspace. */
  const isBelowFolders = (path: BytePath): boolean => {
    const folder = parentOf(path);
    const known = plainFolders.get(folder);
    if (known !== undefined) return known;
    const stat = lookAt(toFile(root, folder));
    const isPlain =
      stat !== undefined && stat !== 'unreachable' && stat.isDirectory() && isBelowFolders(folder);
    plainFolders.set(folder, isPlain);
    return isPlain;
  };
  for (const path of [...paths].toSorted((a, b) => (a < b ? 1 : -1))) {
    if (!isBelowFolders(path) || mustStay(path)) continue;
    const file = toFile(root, path);
    const stat = lookAt(file);
    if (stat === undefined || stat === 'unreachable') continue;
    if (!stat.isFile() && !stat.isDirectory()) continue;
    const wanted = target.get(path) ?? toPlain(stat.isDirectory(), (stat.mode & 0o100) !== 0);
    if ((stat.mode & permissions) === wanted) continue;
    try {
      chmodSync(file, (stat.mode & others) | wanted);
    } catch {
      // Somebody else's: it stays as it is.
    }
  }
}
