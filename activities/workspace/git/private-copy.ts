import {
  chmodSync,
  copyFileSync,
  constants,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isUsualFolder, shapeOf } from './shape.ts';
import { applySettings, parseSettings } from './settings.ts';

/** Something of a git folder that is not copied: shown in the copy as it is. */
export interface Shown {
  /** In the git folder. */
  readonly path: string;
  readonly isWritable: boolean;
}

/** A git folder that commands get in place of the original. Paths are relative to it. */
export interface PrivateCopy {
  readonly folder: string;
  readonly shown: readonly Shown[];
  /** Of each file as it was when it was copied, in the copy and in the original. */
  readonly stamps: ReadonlyMap<string, { readonly copy: string; readonly original: string }>;
  readonly folders: ReadonlySet<string>;
  /** Settings that commands get to see otherwise than they are. */
  readonly hidden: ReadonlyMap<string, Buffer>;
}

/** Undefined also below what is a file. */
function lookAt(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw error;
  }
}

const stampOf = (path: string): string => {
  const stat = lookAt(path);
  if (stat === undefined) return '';
  return `${stat.ino} ${stat.size} ${stat.mode} ${stat.mtimeNs} ${stat.ctimeNs}`;
};

/** A name that is no UTF-8 is left alone: commands do not see it. */
const isNoText = (name: string): boolean => name.includes('\ufffd');

/** Only ever added to, and too large to copy. */
const bulk = new Set(['objects', 'lfs', 'annex']);

const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

/** By what git knows one, whatever its name. */
const isGitFolder = (path: string): boolean =>
  isThere(join(path, 'HEAD')) && isThere(join(path, 'objects'));

/** Of the git folder above it, and not a git folder itself: a submodule may have such a name. */
const isBulkOf = (parent: string, name: string): boolean =>
  bulk.has(name) && isGitFolder(parent) && !isGitFolder(join(parent, name));
const submodule = /^(?:modules|worktrees)\//;

/**
 * Copies a git folder without its objects. `hide` gives the text that commands get in place of a settings file's, if another.
 * Of what git does not make itself, nothing is copied; it is shown read-only.
 */
export function makePrivateCopy(
  original: string,
  folder: string,
  hide: (path: string) => Buffer | undefined,
): PrivateCopy {
  const shown: Shown[] = [];
  const stamps = new Map<string, { copy: string; original: string }>();
  const folders = new Set<string>();
  const hidden = new Map<string, Buffer>();
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const todo = [''];
  for (let at = todo.pop(); at !== undefined; at = todo.pop())
    for (const entry of readdirSync(join(original, at), { withFileTypes: true })) {
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

/** What git makes, and the hooks: programs that install some need not fail, though nothing of them is kept. */
const isOurs = (path: string): boolean =>
  submodule.test(path) ||
  path.startsWith('hooks/') ||
  path.startsWith('info/') ||
  shapeOf(path) !== undefined;

/** git tells by the time of its index which files may have changed since: it must not look newer than it is. */
function copyWithTime(from: string, to: string): void {
  copyFileSync(from, to, constants.COPYFILE_FICLONE);
  const { mtimeMs } = lstatSync(from);
  const seconds = Math.floor(mtimeMs) / 1_000;
  utimesSync(to, seconds, seconds);
}

const disarmed = /\.disarmed(?:-\d+)?$/;

/**
 * Brings what git has changed in the copy into the original. The caller has disarmed the copy. What was changed in the
 * original meanwhile stays, where it is a ref. Returns the paths of those that were not taken over.
 */
export async function takeOver(copy: PrivateCopy, original: string): Promise<string[]> {
  const { folder, stamps, folders, shown } = copy;
  const kept: string[] = [];
  const isShown = new Set(shown.map(({ path }) => path));
  const seen = new Set<string>();
  const isTheirs = wasMoved();
  makeRoom();
  const todo = [''];
  for (let at = todo.pop(); at !== undefined; at = todo.pop())
    for (const entry of readdirSync(join(folder, at), { withFileTypes: true })) {
      const path = at === '' ? entry.name : `${at}/${entry.name}`;
      if (
        isNoText(entry.name) ||
        isShown.has(path) ||
        path.startsWith('hooks/') ||
        disarmed.test(path)
      )
        continue;
      seen.add(path);
      if (entry.isDirectory()) {
        if (makeFolder(join(original, path))) todo.push(path);
        else kept.push(path);
      } else if (entry.isFile() && !path.endsWith('.lock')) await takeFile(path);
    }
  for (const path of stamps.keys()) if (!seen.has(path) && isRemovable(path)) remove(path);
  for (const path of [...folders].toSorted().toReversed())
    if (!seen.has(path) && path !== 'hooks') removeEmpty(join(original, path));
  return kept;

  /** True when somebody else has committed or switched in the original meanwhile: what is staged there is theirs. */
  function wasMoved(): boolean {
    return [...stamps].some(
      ([path, { original: before }]) => isRef(path) && stampOf(join(original, path)) !== before,
    );
  }

  function isRemovable(path: string): boolean {
    return !isShown.has(path) && !path.startsWith('hooks/') && !wasDisarmed(path);
  }

  function remove(path: string): void {
    if (isRef(path) && stampOf(join(original, path)) !== stamps.get(path)?.original)
      kept.push(path);
    else unlinkQuietly(join(original, path));
  }

  /** A branch may have become a folder of branches, or the other way round: the old ones go before the new ones come. */
  function makeRoom(): void {
    for (const path of stamps.keys()) {
      const now = lookAt(join(folder, path));
      const isInTheWay = now === undefined ? isBelowFile(dirname(path)) : now.isDirectory();
      if (!isInTheWay || !isRemovable(path)) continue;
      remove(path);
      seen.add(path);
      for (let at = dirname(path); isRef(at); at = dirname(at)) removeEmpty(join(original, at));
    }
  }

  /** Whether what was a folder above a path is a file in the copy. */
  function isBelowFile(above: string): boolean {
    for (let at = above; at !== '.'; at = dirname(at))
      if (lookAt(join(folder, at))?.isFile() === true) return true;
    return false;
  }

  /** Gone from its place in the copy, but only because it was given another name. */
  function wasDisarmed(path: string): boolean {
    return readNames(dirname(join(folder, path))).some((name) =>
      name.startsWith(`${basename(path)}.disarmed`),
    );
  }

  async function takeFile(path: string): Promise<void> {
    const before = stamps.get(path);
    const [from, to] = [join(folder, path), join(original, path)];
    if (before?.copy === stampOf(from)) return;
    // What is left of branches that are gone, as git itself leaves it.
    if (before === undefined && isRef(path)) removeEmpty(to);
    const isChanged = stampOf(to) !== (before?.original ?? '');
    const isStaged = /(?:^|\/)index$/.test(path) && isTheirs;
    if (isChanged && (isRef(path) || isStaged) && isThere(to)) {
      kept.push(path);
      return;
    }
    const given = copy.hidden.get(path);
    if (given !== undefined) await takeSettings(from, to, given);
    else replaceFile(to, (temporary) => copyWithTime(from, temporary));
  }
}

const isRef = (path: string): boolean => /(?:^|\/)refs\/|(?:^|\/)(?:HEAD|packed-refs)$/.test(path);

/** The person's own text, with what the command changed of what it saw. */
async function takeSettings(from: string, to: string, given: Buffer): Promise<void> {
  const [before, after] = [await parseSettings(given), await parseSettings(readFileSync(from))];
  if (before === undefined || after === undefined) return;
  const text = await applySettings(readFileSync(to), before, after);
  if (text !== undefined)
    replaceFile(to, (temporary) => writeFileSync(temporary, text, { mode: 0o644 }));
}

/** Whole or not at all, for a git that reads meanwhile. */
function replaceFile(to: string, write: (temporary: string) => void): void {
  const temporary = join(dirname(to), `.dev-agent-${process.pid}-${basename(to).slice(0, 100)}`);
  try {
    write(temporary);
    const mode = lstatSync(to, { throwIfNoEntry: false })?.mode;
    if (mode !== undefined) chmodSync(temporary, mode & 0o777);
    renameSync(temporary, to);
  } catch (error) {
    unlinkQuietly(temporary);
    throw error;
  }
}

/** False where something else, such as a link, is in the way. */
function makeFolder(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) mkdirSync(path);
  return stat === undefined || stat.isDirectory();
}

function unlinkQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Gone already, or a folder by now.
  }
}

function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Something has come into it, or it is gone.
  }
}

function readNames(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
