import { constants, existsSync, lstatSync, readdirSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Git, View } from './git.ts';
import { splitNul } from './git.ts';

const run = promisify(execFile);

/** A path inside a folder, one character a byte: file names need not be text. */
export type BytePath = string;

/** The path for the file system. */
export const toFile = (folder: string, path: BytePath): Buffer =>
  Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(path, 'latin1')]);

/** The path for people. */
export const toText = (path: BytePath): string => Buffer.from(path, 'latin1').toString('utf8');

/** What a scan does not look into. */
export interface Coverage {
  /** Patterns for git, as in gitignore(5). */
  readonly patterns: readonly string[];
  /** The same for folders, decided here. */
  readonly isExcluded: (path: BytePath) => boolean;
  /** Ignored files larger than this many bytes are left out. */
  readonly mostIgnoredBytes: number;
}

/** Built from what a package manager can fetch again, or caches of tools: too large to copy, and not the run's work. */
const dependencyFolders = [
  'node_modules',
  'bower_components',
  '.venv',
  'venv',
  '__pycache__',
  '.tox',
  '.nox',
  '.mypy_cache',
  '.pytest_cache',
  '.ruff_cache',
  '.gradle',
  '.terraform',
  '.turbo',
  '.parcel-cache',
  '.pnpm-store',
];

const lastName = (path: BytePath): string => path.slice(path.lastIndexOf('/') + 1);

export const workspaceCoverage: Coverage = {
  patterns: dependencyFolders.map((name) => `${name}/`),
  isExcluded: (path) => dependencyFolders.includes(lastName(path)),
  mostIgnoredBytes: 1024 * 1024,
};

/** Of a git folder all but the objects: those are only ever added, and refs decide which of them count. */
export const gitFolderCoverage: Coverage = {
  patterns: ['/objects/', '/lfs/', '/annex/', '/modules/**/objects/', '/worktrees/**/objects/'],
  isExcluded: (path) =>
    ['objects', 'lfs', 'annex'].includes(path) || /^(?:modules|worktrees)\/.*\/objects$/.test(path),
  mostIgnoredBytes: Number.MAX_SAFE_INTEGER,
};

/** Larger files are never copied. */
const mostBytes = 512 * 1024 * 1024;

export interface Scan {
  /** Tree of all that is covered. */
  readonly tree: string;
  /** Folders with nothing in them, sorted. */
  readonly empty: readonly BytePath[];
  /** Folders that are repositories of their own. */
  readonly nested: readonly BytePath[];
  /** What is there and not in the tree. */
  readonly uncovered: readonly BytePath[];
}

interface Found {
  files: BytePath[];
  empty: BytePath[];
  nested: BytePath[];
  uncovered: BytePath[];
}

/**
 * Brings the index up to date with the folder and writes its tree. Two git processes look at once, one at what is known and one
 * for what is new; where nothing changed since `last`, that is all.
 */
export async function scanFolder(
  git: Git,
  view: View,
  coverage: Coverage,
  last?: string,
): Promise<Scan> {
  const [known, fresh] = await Promise.all([
    git(view, ['diff-files', '-z', '--name-only', '--no-renames', '--ignore-submodules=all']),
    git(view, [
      ...['ls-files', '-z', '--others', '--directory'],
      ...coverage.patterns.flatMap((pattern) => ['-x', pattern]),
    ]),
  ]);
  const found: Found = { files: [], empty: [], nested: [], uncovered: [] };
  for (const entry of splitNul(fresh)) {
    if (entry.endsWith('/')) lookInto(view.folder, entry.slice(0, -1), coverage, found);
    else found.files.push(entry);
  }
  const files = await leaveOutLarge(git, view, coverage, found);
  const paths = await leaveOutUnreadable(view, [...splitNul(known), ...files], found);
  if (paths.length > 0) await addToIndex(git, view, paths);
  const tree =
    paths.length === 0 && last !== undefined
      ? last
      : (await git(view, ['write-tree', '--missing-ok'])).trim();
  return {
    tree,
    empty: found.empty.toSorted(),
    nested: found.nested.toSorted(),
    uncovered: found.uncovered.toSorted(),
  };
}

/** Above this many new objects, syncing the whole file system once is quicker than each of them. */
const manyPaths = 200;

async function addToIndex(git: Git, view: View, paths: readonly BytePath[]): Promise<void> {
  const many = paths.length > manyPaths;
  const args = ['update-index', '-z', '--add', '--remove', '--replace', '--stdin'];
  await git(view, many ? ['-c', 'core.fsync=none', ...args] : args, {
    input: paths.map((path) => `${path}\0`).join(''),
  });
  if (many) await run('sync', ['-f', view.repository]);
}

/** Lists a folder git knows nothing of; git would name only the folder. */
function lookInto(root: string, path: BytePath, coverage: Coverage, found: Found): void {
  const todo = [path];
  for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
    if (existsSync(toFile(root, `${at}/.git`))) {
      found.nested.push(at);
      continue;
    }
    if (existsSync(toFile(root, `${at}/CACHEDIR.TAG`))) {
      found.uncovered.push(at);
      continue;
    }
    const entries = readFolder(root, at);
    if (entries === undefined) {
      found.uncovered.push(at);
      continue;
    }
    if (entries.length === 0) found.empty.push(at);
    for (const { name, kind } of entries) {
      const inner = `${at}/${name}`;
      if (kind === 'folder') {
        if (coverage.isExcluded(inner)) found.uncovered.push(inner);
        else todo.push(inner);
      } else if (kind === 'file') found.files.push(inner);
    }
  }
}

type Kind = 'file' | 'folder' | 'other';

function readFolder(
  root: string,
  path: BytePath,
): { readonly name: string; readonly kind: Kind }[] | undefined {
  try {
    return readdirSync(toFile(root, path), { withFileTypes: true, encoding: 'buffer' }).map(
      (entry) => ({
        name: entry.name.toString('latin1'),
        kind: entry.isDirectory()
          ? 'folder'
          : entry.isFile() || entry.isSymbolicLink()
            ? 'file'
            : 'other',
      }),
    );
  } catch {
    return undefined;
  }
}

async function leaveOutLarge(
  git: Git,
  view: View,
  { mostIgnoredBytes }: Coverage,
  found: Found,
): Promise<BytePath[]> {
  const large = new Set<BytePath>();
  const asked: BytePath[] = [];
  for (const path of found.files) {
    const size = lstatSync(toFile(view.folder, path), { throwIfNoEntry: false })?.size ?? 0;
    if (size > mostBytes) large.add(path);
    else if (size > mostIgnoredBytes) asked.push(path);
  }
  if (asked.length > 0) {
    // With a dot in front, or a name that starts with a colon would be read as a pattern.
    const input = asked.map((path) => `./${path}\0`).join('');
    const args = ['check-ignore', '-z', '--no-index', '--stdin'];
    const ignored = splitNul(await git(view, args, { input, accept: [0, 1] }));
    for (const path of ignored) large.add(path.slice(2));
  }
  found.uncovered.push(...large);
  return found.files.filter((path) => !large.has(path));
}

async function leaveOutUnreadable(
  { folder }: View,
  paths: readonly BytePath[],
  found: Found,
): Promise<BytePath[]> {
  // The superuser reads everything.
  if (process.getuid?.() === 0) return [...paths];
  const readable = await Promise.all(
    paths.map(async (path) => {
      const file = toFile(folder, path);
      if (lstatSync(file, { throwIfNoEntry: false })?.isFile() !== true) return true;
      return await access(file, constants.R_OK).then(
        () => true,
        () => false,
      );
    }),
  );
  found.uncovered.push(...paths.filter((_, index) => readable[index] === false));
  return paths.filter((_, index) => readable[index] === true);
}
