import { accessSync, constants, lstatSync, readdirSync } from 'node:fs';
import type { Dirent, Stats } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import type { Guard } from './guard.ts';

/** What a sandbox must cover. Paths are relative to the root, sorted. */
export interface Scan {
  /** May not be read. */
  readonly hidden: readonly string[];
  /** May not be written; excludes the content of git folders. */
  readonly guarded: readonly string[];
  /** Paths that may be changed only with approval: files, links, and folders that are not scanned. */
  readonly watched: readonly string[];
  /** Folders that cannot be listed, whose content can still be opened by name. */
  readonly closed: readonly string[];
  /** Git folders, including those of submodules and worktrees. */
  readonly gitFolders: readonly string[];
}

interface Scanner {
  /** The workspace as of at most `maxAgeMs` ago. */
  look(maxAgeMs?: number): Promise<Scan>;
}

/** Content of one folder. */
interface Folder {
  readonly folders: readonly string[];
  readonly hidden: readonly string[];
  readonly guarded: readonly string[];
  readonly watched: readonly string[];
  /** By its name or its content. */
  readonly isGit: boolean;
  /** Its content is unknown and a command could change it, so commands must not see it. */
  readonly isClosed?: true;
}

interface Known extends Folder {
  readonly ino: number;
  readonly ctimeMs: number;
}

/** The kernel's file times lag the clock by up to one tick. */
const tickMs = 50;
const foldersAtOnce = 200;
/** Package folders: nothing in there is the person's. */
const skipped = new Set(['node_modules', '.venv']);
const maxScanners = 8;
const scanners = new WeakMap<Guard, Map<string, Scanner>>();

/** The workspace's only scanner. Keeps the most recently used: a worker has few, and worktrees come and go. */
export function scannerOf(root: string, guard: Guard): Scanner {
  const known = scanners.get(guard) ?? new Map<string, Scanner>();
  scanners.set(guard, known);
  const scanner = known.get(root) ?? createScanner(root, guard);
  known.delete(root);
  known.set(root, scanner);
  const [oldest] = known.keys();
  if (known.size > maxScanners && oldest !== undefined) known.delete(oldest);
  return scanner;
}

/** Remembers folders and rereads only those with additions or removals. */
function createScanner(root: string, guard: Guard): Scanner {
  let known = new Map<string, Known>();
  /** `isWhole`: every folder was read. */
  let last: { readonly scan: Scan; readonly at: number; readonly isWhole: boolean } | undefined;
  return {
    async look(maxAgeMs = 0) {
      if (last !== undefined && performance.now() - last.at < maxAgeMs) return last.scan;
      if (last?.isWhole === true && (await isUnchanged())) {
        last = { ...last, at: performance.now() };
        return last.scan;
      }
      const next = new Map<string, Known>();
      let seen = 0;
      const scan = await walkFolders(root, (path, names) => {
        const folder = lookInto(join(root, path), names, known.get(path));
        seen += 1;
        if (folder !== undefined && 'ino' in folder) next.set(path, folder);
        return folder;
      });
      known = next;
      last = { scan, at: performance.now(), isWhole: seen === next.size };
      return scan;
    },
  };

  /** True if no folder changed: nothing was added, removed or renamed anywhere. */
  async function isUnchanged(): Promise<boolean> {
    let seen = 0;
    for (const [path, { ino, ctimeMs }] of known) {
      if ((seen += 1) % foldersAtOnce === 0) await yieldToOthers();
      const stat = statFolder(path === '' ? root : `${root}/${path}`);
      if (stat?.ino !== ino || stat.ctimeMs !== ctimeMs) return false;
    }
    return true;
  }

  function lookInto(
    path: string,
    names: readonly string[],
    before: Known | undefined,
  ): Folder | Known | undefined {
    const stat = statFolder(path);
    if (stat?.isDirectory() !== true) return undefined;
    const { ino, ctimeMs } = stat;
    if (before?.ino === ino && before.ctimeMs === ctimeMs) return before;
    const found = readFolder(path, names, guard);
    // Changes within the same tick would go unnoticed, so such a folder is read again.
    return found === undefined || Date.now() - ctimeMs <= tickMs
      ? found
      : { ...found, ino, ctimeMs };
  }
}

/** Undefined if missing or unreachable; its caller handles closed folders. */
function statFolder(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

const isFolder = (entry: Dirent): boolean => entry.isDirectory() && !skipped.has(entry.name);

/** git's own; a file of that name points to the folder. Commands get a copy of either. */
const isOfGit = (entry: Dirent): boolean => entry.name === '.git';

function readFolder(path: string, names: readonly string[], guard: Guard): Folder | undefined {
  let entries: Dirent[];
  try {
    entries = readdirSync(path, { withFileTypes: true });
    // A folder that cannot be entered hides its content too.
    accessSync(path, constants.X_OK);
    if (holdsUnnamed(path, names, entries, guard)) return shut;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? undefined : shut;
  }
  const here = new Set(entries.map(({ name }) => name));
  const isGit = names.at(-1) === '.git' || (here.has('HEAD') && here.has('objects'));
  const hidden = entries.filter(({ name }) => guard.isHidden(names, name));
  const guarded = entries.filter(
    (entry) => !isGit && !isOfGit(entry) && guard.isProtected(names, entry.name),
  );
  const known = new Set([...hidden, ...guarded]);
  return {
    isGit,
    folders: entries
      .filter((entry) => isFolder(entry) && !known.has(entry))
      .map(({ name }) => name),
    hidden: hidden.map(({ name }) => name),
    guarded: guarded.map(({ name }) => name),
    watched: entries
      .filter(
        (entry) =>
          !isGit && !known.has(entry) && !isFolder(entry) && guard.isWatched?.(names, entry.name),
      )
      .map(({ name }) => name),
  };
}

const shut: Folder = {
  folders: [],
  hidden: [],
  guarded: [],
  watched: [],
  isGit: false,
  isClosed: true,
};

/** Replaces bytes that are not valid text. */
const noText = '\uFFFD';

const isNamed = (guard: Guard, folder: readonly string[], name: string): boolean =>
  guard.isHidden(folder, name) ||
  guard.isProtected(folder, name) ||
  guard.isWatched?.(folder, name) === true;

/** Whether something denied lies below a folder whose name is not text: bubblewrap cannot be told of it. */
function holdsUnnamed(
  path: string,
  names: readonly string[],
  entries: readonly Dirent[],
  guard: Guard,
): boolean {
  if (!entries.some((entry) => entry.name.includes(noText) && isFolder(entry))) return false;
  const todo = readdirSync(path, { withFileTypes: true, encoding: 'buffer' })
    .filter((entry) => entry.isDirectory() && entry.name.toString().includes(noText))
    .map((entry) => ({
      at: Buffer.concat([Buffer.from(`${path}/`), entry.name]),
      names: [...names, entry.name.toString()],
    }));
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { at, names: inHere } = next;
    if (at.length > maxPathLength) return true;
    for (const entry of readdirSync(at, { withFileTypes: true, encoding: 'buffer' })) {
      const name = entry.name.toString();
      if (name === '.git' || isNamed(guard, inHere, name)) return true;
      if (entry.isDirectory())
        todo.push({
          at: Buffer.concat([at, Buffer.from('/'), entry.name]),
          names: [...inHere, name],
        });
    }
  }
  return false;
}

/** Longest path in bytes that can be mounted over, with room for a name below it. */
const maxPathLength = 4096 - 256 - 1;

/** Submodules and worktrees have git folders inside a git folder; nothing else in it is scanned. */
const insideGit = ['modules', 'worktrees'];

async function walkFolders(
  root: string,
  look: (path: string, names: readonly string[]) => Folder | undefined,
): Promise<Scan> {
  const hidden: string[] = [];
  const guarded: string[] = [];
  const watched: string[] = [];
  const closed: string[] = [];
  const gitFolders: string[] = [];
  const todo: (readonly string[])[] = [[]];
  for (let seen = 1; todo.length > 0; seen += 1) {
    if (seen % foldersAtOnce === 0) await yieldToOthers();
    const names = todo.pop() as readonly string[];
    const path = names.join('/');
    const folder = look(path, names);
    if (folder === undefined) {
      closed.push(path);
      continue;
    }
    if (folder.isClosed === true) {
      closed.push(path);
      hidden.push(path);
      continue;
    }
    const inHere = (name: string): string => (path === '' ? name : `${path}/${name}`);
    hidden.push(...folder.hidden.map(inHere));
    guarded.push(...folder.guarded.map(inHere));
    watched.push(...folder.watched.map(inHere));
    if (folder.isGit) gitFolders.push(path);
    for (const name of folder.folders)
      if (!folder.isGit || insideGit.includes(name)) {
        if (Buffer.byteLength(`${root}/${inHere(name)}`) > maxPathLength) hidden.push(inHere(name));
        else todo.push([...names, name]);
      }
  }
  return {
    hidden: hidden.toSorted(),
    guarded: guarded.toSorted(),
    watched: watched.toSorted(),
    closed: closed.toSorted(),
    gitFolders: gitFolders.toSorted(),
  };
}
