import { accessSync, chmodSync, constants, lstatSync, readdirSync } from 'node:fs';
import type { Stats } from 'node:fs';
import type { BytePath } from '../../snapshots/byte-path.ts';
import { toText } from '../../snapshots/byte-path.ts';
import { pause } from './pause.ts';
import type { Reach } from './reach.ts';

/** Everything git would take for a git folder or a pointer to one, whoever made it. */
export interface GitPlaces {
  /** Folders named `.git`, and those git recognizes by their content. */
  readonly folders: ReadonlySet<BytePath>;
  /** Files and links named `.git`. */
  readonly pointers: readonly BytePath[];
  /** Links, FIFOs and the like in object folders; sorted. */
  readonly odd: readonly BytePath[];
  /** Folders that cannot be listed and may contain anything. */
  readonly blind: readonly BytePath[];
}

/** The scan for git folders failed: their content is unknown. */
export class GitCheckFailed extends Error {
  override readonly name = 'GitCheckFailed';
}

interface Folder {
  readonly folders: readonly string[];
  readonly pointers: readonly string[];
  readonly odd: readonly string[];
  readonly isGit: boolean;
}

interface Known extends Folder {
  readonly ino: number;
  readonly ctimeMs: number;
}

/** Earlier results: a folder without additions or removals is not read again. */
export interface Memory {
  /** By path. */
  known: Map<BytePath, Known>;
  /** The result, if every folder was read. */
  whole?: GitPlaces | undefined;
}

export const createMemory = (): Memory => ({ known: new Map() });

/** The kernel's file times lag the clock by up to one tick. */
const tickMs = 50;
/** Each is checked before and after every command. */
const maxPlaces = 5_000;
/** No program works that deep; git itself stops at 4,096. */
const maxPathBytes = 32_768;
const maxKnownPathBytes = 4_096;

/** On case-insensitive file systems, git finds it under any of these. */
export const isDotGit = (name: string): boolean => /^\.git$/i.test(name);

const isInObjects = (path: BytePath): boolean => /(?:^|\/)objects(?:\/|$)/.test(path);

/**
 * Scans every folder, including package folders. `onBlind` is `open` after a command: folders it closed are made
 * readable; what others closed is closed to commands too. @throws GitCheckFailed
 */
export async function findGitPlaces(
  reach: Reach,
  memory: Memory,
  onBlind: 'open' | 'name',
): Promise<GitPlaces> {
  if (memory.whole !== undefined && (await isUnchanged())) return memory.whole;
  const found = {
    folders: new Set<BytePath>(),
    pointers: [] as BytePath[],
    odd: [] as BytePath[],
    blind: [] as BytePath[],
  };
  const seen = new Map<BytePath, Known>();
  const todo: BytePath[] = [''];
  let count = 0;
  for (let path = todo.pop(); path !== undefined; path = todo.pop()) {
    count += 1;
    await pause();
    const folder = lookInto(path);
    if (folder === undefined) continue;
    const at = path === '' ? '' : `${path}/`;
    if (folder.isGit) found.folders.add(path);
    for (const name of folder.pointers) found.pointers.push(at + name);
    for (const name of folder.odd) found.odd.push(at + name);
    for (const name of folder.folders) todo.push(at + name);
    if (found.folders.size + found.pointers.length > maxPlaces)
      throw new GitCheckFailed(
        `There are too many git folders to check: more than ${maxPlaces}. Remove those that are not needed.`,
      );
  }
  found.odd.sort();
  memory.known = seen;
  memory.whole = seen.size === count && found.blind.length === 0 ? found : undefined;
  return found;

  /** If so, nothing was added, removed or renamed in any folder. */
  async function isUnchanged(): Promise<boolean> {
    for (const [path, { ino, ctimeMs }] of memory.known) {
      await pause();
      const stat = lookAt(path);
      if (stat?.ino !== ino || stat.ctimeMs !== ctimeMs) return false;
    }
    return true;
  }

  function lookInto(path: BytePath): Folder | undefined {
    if (path.length > maxPathBytes) {
      if (onBlind === 'name') return undefined;
      throw new GitCheckFailed(
        `A folder is nested too deep to look for git folders in it: ${toText(path.slice(0, 80))}/… Remove it.`,
      );
    }
    const stat = lookAt(path);
    if (stat?.isDirectory() !== true) return undefined;
    const { ino, ctimeMs } = stat;
    const before = memory.known.get(path);
    const isKnown = before?.ino === ino && before.ctimeMs === ctimeMs;
    const folder = isKnown ? before : readFolder(path, stat);
    // Changes within the same tick would go unnoticed, so such a folder is read again.
    if (folder !== undefined && path.length < maxKnownPathBytes)
      if (isKnown) seen.set(path, before);
      else if (Date.now() - ctimeMs > tickMs) seen.set(path, { ...folder, ino, ctimeMs });
    return folder;
  }

  function lookAt(path: BytePath): Stats | undefined {
    try {
      return lstatSync(reach.address(path), { throwIfNoEntry: false });
    } catch (error) {
      // Another user's, hence closed to commands too.
      if ((error as NodeJS.ErrnoException).code === 'EACCES') return undefined;
      return giveUp(path, error);
    }
  }

  function readFolder(path: BytePath, stat: Stats): Folder | undefined {
    const isOwn = stat.uid === process.getuid?.();
    const isClosed = isOwn && stat.uid !== 0 && (stat.mode & 0o500) !== 0o500;
    try {
      if (!isClosed) return judgeFolder(reach, path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EACCES' && code !== 'EPERM') return giveUp(path, error);
    }
    if (!isOwn && !canEnter(path)) return undefined;
    if (onBlind === 'name') {
      found.blind.push(path);
      return undefined;
    }
    try {
      chmodSync(reach.address(path), (stat.mode & 0o7777) | 0o700);
      return judgeFolder(reach, path);
    } catch (error) {
      return giveUp(path, error);
    }
  }

  function canEnter(path: BytePath): boolean {
    try {
      accessSync(reach.address(path), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  }
}

/** Undefined for what has vanished. @throws GitCheckFailed */
function giveUp(path: BytePath, error: unknown): undefined {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
  throw new GitCheckFailed(
    `${path === '' ? 'The workspace' : toText(path.slice(0, 200))} cannot be looked into for git folders: ${message}`,
  );
}

function judgeFolder(reach: Reach, path: BytePath): Folder {
  const entries = readdirSync(reach.address(path), { withFileTypes: true, encoding: 'buffer' }).map(
    (entry) => {
      const name = entry.name.toString('latin1');
      const isKnown = entry.isDirectory() || entry.isFile() || entry.isSymbolicLink();
      // Some file systems do not report entry types.
      const kind = isKnown
        ? entry
        : (lstatSync(reach.address(path === '' ? name : `${path}/${name}`), {
            throwIfNoEntry: false,
          }) ?? entry);
      return { name, isFolder: kind.isDirectory(), isFile: kind.isFile() };
    },
  );
  const here = new Set(entries.map(({ name }) => name.toLowerCase()));
  // git also requires refs, but whoever began such a folder may add them later.
  const isBare = here.has('head') && (here.has('commondir') || here.has('objects'));
  const namesOf = (chosen: typeof entries): string[] => chosen.map(({ name }) => name);
  return {
    isGit: isBare || isDotGit(path.slice(path.lastIndexOf('/') + 1)),
    folders: namesOf(entries.filter(({ isFolder }) => isFolder)),
    pointers: namesOf(entries.filter(({ name, isFolder }) => !isFolder && isDotGit(name))),
    odd: isInObjects(path)
      ? namesOf(entries.filter(({ isFolder, isFile }) => !isFolder && !isFile))
      : [],
  };
}
