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
import { failpoint } from '../../../audit/record/failpoint.ts';
import { pause } from './pause.ts';
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

/** A branch that has to go before another comes can be found there until all is done. */
interface Held {
  /** The packed-refs of the original as it was. */
  readonly old: Buffer | undefined;
  readonly isChanged: boolean;
  /** Ids by name. */
  readonly refs: Map<string, string>;
}

/**
 * Brings what git has changed in the copy into the original. The caller has disarmed the copy. What was changed in the
 * original meanwhile stays, where it is a ref. Whenever it is cut short, the original is a sound repository: nothing comes
 * before what it refers to, and nothing goes before what refers to it. Returns the paths of those that were not taken over.
 */
export async function takeOver(copy: PrivateCopy, original: string): Promise<string[]> {
  const { folder, stamps, folders, shown } = copy;
  const kept: string[] = [];
  const isShown = new Set(shown.map(({ path }) => path));
  const seen = new Set<string>();
  const held = new Map<string, Held>();
  const isTheirs = wasMoved();
  const files = await listFiles();
  failpoint('take-over');
  makeRoom();
  for (const path of files) {
    await pause();
    if (makeFolders(dirname(path))) await takeFile(path);
    failpoint('take-over');
  }
  for (const [path, { old }] of held)
    if (isTaken(path))
      replaceFile(path, (temporary) => copyWithTime(join(folder, path), temporary));
    else if (old === undefined) unlinkQuietly(join(original, path));
    else replaceFile(path, (temporary) => writeFileSync(temporary, old));
  const gone = [...stamps.keys()].filter((path) => !seen.has(path) && isRemovable(path));
  for (const path of gone.toSorted(inOrder).toReversed()) {
    remove(path);
    failpoint('take-over');
  }
  for (const path of [...folders].toSorted().toReversed())
    if (!seen.has(path) && path !== 'hooks') removeEmpty(join(original, path));
  return kept;

  /** In the order in which they may come. */
  async function listFiles(): Promise<string[]> {
    const found: string[] = [];
    const todo = [''];
    for (let at = todo.pop(); at !== undefined; at = todo.pop())
      for (const entry of readdirSync(join(folder, at), { withFileTypes: true })) {
        await pause();
        const path = at === '' ? entry.name : `${at}/${entry.name}`;
        if (
          isNoText(entry.name) ||
          isShown.has(path) ||
          path.startsWith('hooks/') ||
          disarmed.test(path)
        )
          continue;
        seen.add(path);
        if (entry.isDirectory()) todo.push(path);
        else if (entry.isFile() && !path.endsWith('.lock')) found.push(path);
      }
    return found.toSorted(inOrder);
  }

  /** True when somebody else has committed or switched in the original meanwhile: what is staged there is theirs. */
  function wasMoved(): boolean {
    return [...stamps].some(
      ([path, { original: before }]) => isRef(path) && stampOf(join(original, path)) !== before,
    );
  }

  /** False where something else, such as a link, is in the way. */
  function makeFolders(path: string): boolean {
    if (path === '.') return true;
    if (kept.includes(path) || !makeFolders(dirname(path))) return false;
    const isMade = makeFolder(join(original, path));
    if (!isMade) kept.push(path);
    return isMade;
  }

  function isRemovable(path: string): boolean {
    return !isShown.has(path) && !path.startsWith('hooks/') && !wasDisarmed(path);
  }

  function remove(path: string): void {
    if (
      isRef(path) &&
      !held.has(path) &&
      stampOf(join(original, path)) !== stamps.get(path)?.original
    )
      kept.push(path);
    else unlinkQuietly(join(original, path));
  }

  /** A branch may have become a folder of branches, or the other way round: the old ones go before the new ones come. */
  function makeRoom(): void {
    const inTheWay = [...stamps.keys()].filter((path) => {
      const now = lookAt(join(folder, path));
      const isInTheWay = now === undefined ? isBelowFile(dirname(path)) : now.isDirectory();
      return isInTheWay && isRemovable(path);
    });
    for (const path of inTheWay) hold(path);
    for (const [path, { old, refs }] of held) writeHeld(path, old, refs);
    for (const path of inTheWay) {
      remove(path);
      failpoint('take-over');
      seen.add(path);
      for (let at = dirname(path); isRef(at); at = dirname(at)) removeEmpty(join(original, at));
    }
  }

  function hold(path: string): void {
    const start = startOfRef(original, path);
    const id = start === undefined ? undefined : readText(join(original, path))?.toString().trim();
    if (start === undefined || id === undefined || !/^[0-9a-f]{40,64}$/.test(id)) return;
    const packed = `${path.slice(0, start)}packed-refs`;
    const isChanged = stampOf(join(original, packed)) !== (stamps.get(packed)?.original ?? '');
    const known = held.get(packed) ?? {
      old: readText(join(original, packed)),
      isChanged,
      refs: new Map<string, string>(),
    };
    known.refs.set(path.slice(start), id);
    held.set(packed, known);
  }

  /** Without git's first line, which says that they are sorted. */
  function writeHeld(path: string, text: Buffer | undefined, refs: Map<string, string>): void {
    const others = (text?.toString('latin1') ?? '')
      .split(/\n(?!\^)/)
      .filter((entry) => entry !== '' && !entry.startsWith('#'))
      .filter((entry) => !refs.has(Buffer.from(toRefName(entry), 'latin1').toString()));
    const own = [...refs].map(([name, id]) => Buffer.from(`${id} ${name}`).toString('latin1'));
    const whole = [...others, ...own, ''].join('\n');
    replaceFile(path, (temporary) => writeFileSync(temporary, whole, 'latin1'));
    failpoint('take-over');
  }

  /** Whether the copy's packed-refs are to take the place of those of the original. */
  function isTaken(path: string): boolean {
    const isSame = stamps.get(path)?.copy === stampOf(join(folder, path));
    return seen.has(path) && !isSame && held.get(path)?.isChanged === false;
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
    const holding = held.get(path);
    const isChanged = holding?.isChanged ?? stampOf(to) !== (before?.original ?? '');
    const isStaged = /(?:^|\/)index$/.test(path) && isTheirs;
    if (isChanged && (isRef(path) || isStaged) && isThere(to)) {
      kept.push(path);
      return;
    }
    const given = copy.hidden.get(path);
    if (given !== undefined) await takeSettings(path, given);
    else if (holding !== undefined) writeHeld(path, readFileSync(from), holding.refs);
    else replaceFile(path, (temporary) => copyWithTime(from, temporary));
  }

  /** The person's own text, with what the command changed of what it saw. */
  async function takeSettings(path: string, given: Buffer): Promise<void> {
    const after = await parseSettings(readFileSync(join(folder, path)));
    const before = await parseSettings(given);
    if (before === undefined || after === undefined) return;
    const text = await applySettings(readFileSync(join(original, path)), before, after);
    if (text !== undefined) replaceFile(path, (temporary) => writeFileSync(temporary, text));
  }

  /** Whole or not at all, for a git that reads meanwhile. What a kill leaves is no ref, and git never reads it. */
  function replaceFile(path: string, write: (temporary: string) => void): void {
    const to = join(original, path);
    const temporary = join(original, `.dev-agent-${process.pid}.disarmed`);
    try {
      write(temporary);
      const mode = lstatSync(to, { throwIfNoEntry: false })?.mode;
      if (mode !== undefined) chmodSync(temporary, mode & 0o777);
      failpoint('take-over');
      renameSync(temporary, to);
    } catch (error) {
      unlinkQuietly(temporary);
      throw error;
    }
  }
}

/** Removes what a killed process has left in a git folder while it brought changes over. */
export function removeTemporaries(folder: string): void {
  for (const name of readNames(folder))
    if (/^\.dev-agent-\d+\.disarmed$/.test(name)) unlinkQuietly(join(folder, name));
}

/**
 * Where a file stands when changes are applied, and before that all it may refer to. Repositories inside are whole before
 * an index tells of them, and linked work trees before they are said to be some.
 */
const order: readonly (readonly [RegExp, number])[] = [
  [/(?:^|\/)logs\//, 2],
  [/(?:^|\/)(?:refs\/|reftable\/tables\.list$)/, 1],
  [/(?:^|\/)packed-refs$/, 3],
  [/^index$/, 7],
  [/^HEAD$/, 8],
  [/\/index$/, 4],
  [/\/HEAD$/, 5],
  [/\/gitdir$/, 6],
];

function toOrder(path: string): readonly number[] {
  const place = order.find(([pattern]) => pattern.test(path))?.[1] ?? 0;
  const isInside = place >= 4 && place <= 6;
  return isInside ? [4, -path.split('/').length, place] : [place, 0, 0];
}

function inOrder(a: string, b: string): number {
  const [one, other] = [toOrder(a), toOrder(b)];
  const at = one.findIndex((place, index) => place !== other[index]);
  return at === -1 ? 0 : (one[at] ?? 0) - (other[at] ?? 0);
}

/** Where the name of a ref begins in the path of a file that a packed-refs can stand in for. */
function startOfRef(original: string, path: string): number | undefined {
  for (let at = path.indexOf('refs/'); at !== -1; at = path.indexOf('refs/', at + 1))
    if ((at === 0 || path[at - 1] === '/') && isGitFolder(join(original, path.slice(0, at))))
      return at;
  return undefined;
}

/** Of a line of packed-refs and, for a tag, the one below it. */
const toRefName = (entry: string): string => /^\S+ ([^\n]*)/.exec(entry)?.[1] ?? '';

const isRef = (path: string): boolean => /(?:^|\/)refs\/|(?:^|\/)(?:HEAD|packed-refs)$/.test(path);

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

function readText(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

function readNames(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
