import {
  copyFileSync,
  constants,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { join } from 'node:path';
import { pause } from './pause.ts';
import { isUsualFolder, shapeOf } from './shape.ts';

/** Part of a git folder that is shown in the copy instead of copied. */
export interface Shown {
  /** Relative to the git folder. */
  readonly path: string;
  readonly isWritable: boolean;
}

/** A git folder's copy for commands. Paths are relative to it. */
export interface PrivateCopy {
  readonly folder: string;
  readonly shown: readonly Shown[];
  /** Stamps of each file when it was copied, in copy and original. */
  readonly stamps: ReadonlyMap<string, { readonly copy: string; readonly original: string }>;
  readonly folders: ReadonlySet<string>;
  /** Settings that commands see in a different version. */
  readonly hidden: ReadonlyMap<string, Buffer>;
}

/** Undefined also for a path below a file. */
export function lookAt(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw error;
  }
}

export const stampOf = (path: string): string => {
  const stat = lookAt(path);
  if (stat === undefined) return '';
  return `${stat.ino} ${stat.size} ${stat.mode} ${stat.mtimeNs} ${stat.ctimeNs}`;
};

/** Names that are not UTF-8 are skipped: commands do not see them. */
export const isNoText = (name: string): boolean => name.includes('\ufffd');

/** Append-only, and too large to copy. */
const bulk = new Set(['objects', 'lfs', 'annex']);

export const isThere = (path: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false }) !== undefined;

/** How git recognizes one, whatever its name. */
export const isGitFolder = (path: string): boolean =>
  isThere(join(path, 'HEAD')) && isThere(join(path, 'objects'));

/** Belongs to the git folder above it and is not one itself: a submodule may have such a name. */
const isBulkOf = (parent: string, name: string): boolean =>
  bulk.has(name) && isGitFolder(parent) && !isGitFolder(join(parent, name));
const submodule = /^(?:modules|worktrees)\//;

/**
 * Copies a git folder without its objects. `hide` may replace a settings file's text. What git does not create itself
 * is shown read-only, not copied.
 */
export async function makePrivateCopy(
  original: string,
  folder: string,
  hide: (path: string) => Buffer | undefined,
): Promise<PrivateCopy> {
  const shown: Shown[] = [];
  const stamps = new Map<string, { copy: string; original: string }>();
  const folders = new Set<string>();
  const hidden = new Map<string, Buffer>();
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const todo = [''];
  for (let at = todo.pop(); at !== undefined; at = todo.pop())
    for (const entry of readdirSync(join(original, at), { withFileTypes: true })) {
      await pause();
      const path = at === '' ? entry.name : `${at}/${entry.name}`;
      if (isNoText(entry.name)) continue;
      if (entry.isDirectory()) {
        mkdirSync(join(folder, path));
        if ((at === '' || submodule.test(path)) && isBulkOf(join(original, at), entry.name))
          shown.push({ path, isWritable: true });
        else if (isUsualFolder(path)) {
          folders.add(path);
          todo.push(path);
        } else shown.push({ path, isWritable: false });
      } else copyEntry(path, entry);
    }
  return { folder, shown, stamps, folders, hidden };

  function copyEntry(path: string, entry: { isSymbolicLink(): boolean; isFile(): boolean }): void {
    const [from, to] = [join(original, path), join(folder, path)];
    const before = stampOf(from);
    if (entry.isSymbolicLink()) symlinkSync(readlinkSync(from), to);
    else if (!entry.isFile()) return;
    else if (isOurs(path)) {
      const text = hide(path);
      if (text === undefined) copyWithTime(from, to);
      else {
        hidden.set(path, text);
        writeFileSync(to, text, { mode: 0o644 });
      }
    } else {
      writeFileSync(to, '');
      shown.push({ path, isWritable: false });
    }
    stamps.set(path, { copy: stampOf(to), original: before });
  }
}

/** What git creates, plus hooks: programs that install some should not fail, although they are not kept. */
const isOurs = (path: string): boolean =>
  submodule.test(path) ||
  path.startsWith('hooks/') ||
  path.startsWith('info/') ||
  shapeOf(path) !== undefined;

/** git uses its index's time to find possibly changed files, so it must not look newer than it is. */
export function copyWithTime(from: string, to: string): void {
  copyFileSync(from, to, constants.COPYFILE_FICLONE);
  const { mtimeMs } = lstatSync(from);
  const seconds = Math.floor(mtimeMs) / 1_000;
  utimesSync(to, seconds, seconds);
}
