/**
 * Permission bits, of which git stores only one. A snapshot records every file and folder whose bits differ from a new
 * one's, so that a command's changes to them can be reverted.
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

/** Path of a file or folder ('' for the repository's root) → its non-default permission bits. */
export type Modes = ReadonlyMap<BytePath, number>;

/** What is known of a folder's modes, to speed up the next look. */
export interface Look {
  readonly modes: Modes;
  /** All folders, because git does not report changes of their bits. */
  readonly folders: ReadonlySet<BytePath>;
  /**
   * Files to check again: git's index may lack them and so not report their deletion, and its one-second timestamps
   * would miss a second change within the same second.
   */
  readonly again: ReadonlySet<BytePath>;
}

const permissions = 0o777;
/** Set-id and sticky bits are preserved: a command cannot set them. */
const others = 0o7000;

const umask = process.umask();

/** Default bits for a new file or folder made by this process. */
const toPlain = (isFolder: boolean, isProgram: boolean): number =>
  (isFolder || isProgram ? 0o777 : 0o666) & ~umask;

/** Whether a file is less accessible than a newly made one. */
export const isRestricted = (mode: number | undefined): boolean =>
  mode !== undefined && (toPlain(false, false) & ~mode) !== 0;

/** Undefined for default bits, and for entries without bits of their own. */
function readMode(stat: Stats): number | undefined {
  const bits = stat.mode & permissions;
  if (!stat.isFile() && !stat.isDirectory()) return undefined;
  return bits === toPlain(stat.isDirectory(), (bits & 0o100) !== 0) ? undefined : bits;
}

/** A path without an entry has default bits. */
function put(modes: Map<BytePath, number>, path: BytePath, mode: number | undefined): void {
  if (mode === undefined) modes.delete(path);
  else modes.set(path, mode);
}

const recentMs = 2_000;

/** Batch size, so that other work in this process can proceed. */
const maxAtOnce = 2_000;

/**
 * The modes of everything a scan covers. Given the last look, checks only folders and what the scan found changed: a
 * change of bits changes a file's ctime, which git compares too.
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

/** The modes updated for some files from disk. */
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
 * Applies the changes of theirs since the base to ours; ours win conflicts. Undefined if ours are unknown; ours
 * unchanged if another is, as in snapshots of older versions.
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

/** The modes with some paths taken from others. */
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
  /** Files just written, with default bits. */
  readonly written: Iterable<BytePath>;
  /** Paths that must not be touched. */
  readonly mustStay: (path: BytePath) => boolean;
}

/** Restores permission bits, innermost first, because a folder's own may lock it. */
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
      // Another user's: leave it.
    }
  }
}
