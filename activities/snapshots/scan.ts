import { constants, existsSync, lstatSync, readdirSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Git, View } from './git.ts';
import { splitNul } from './git.ts';
import { toFile } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import { lookAt, overlay, sizeAt, statPath } from './entries.ts';
import { emptyTree } from './objects.ts';
import type { Objects } from './objects.ts';

const run = promisify(execFile);

/** What a scan skips. */
export interface Coverage {
  /** git exclude patterns, as in gitignore(5). */
  readonly patterns: readonly string[];
  /** The same for folders, decided here. */
  readonly isExcluded: (path: BytePath) => boolean;
  /** Larger ignored files (in bytes) are covered only within the allowance. */
  readonly maxIgnoredBytes: number;
}

/** Remaining budget for copying large ignored files, such as build output and data. */
export interface Allowance {
  bytes: number;
}

/** For one run in one workspace. */
export const createAllowance = (): Allowance => ({ bytes: 256 * 1024 * 1024 });

/** Larger ignored files are never copied. */
const maxAllowedBytes = 64 * 1024 * 1024;

/** Package folders that can be fetched again and tool caches: too large to copy, and not the run's work. */
export const dependencyFolders: readonly string[] = [
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
  // Folders are skipped by name below, because git would not report that they exist.
  patterns: [],
  isExcluded: (path) => dependencyFolders.includes(lastName(path)),
  maxIgnoredBytes: 1024 * 1024,
};

/** Everything in a git folder but the objects: they are only ever added, and refs decide which matter. */
export const gitFolderCoverage: Coverage = {
  patterns: ['/objects/', '/lfs/', '/annex/', '/modules/**/objects/', '/worktrees/**/objects/'],
  isExcluded: (path) =>
    ['objects', 'lfs', 'annex'].includes(path) || /^(?:modules|worktrees)\/.*\/objects$/.test(path),
  maxIgnoredBytes: Number.MAX_SAFE_INTEGER,
};

/** Larger files are never copied. */
export const maxBytes = 512 * 1024 * 1024;

export interface Scan {
  /** Tree of everything covered. */
  readonly tree: string;
  /** Empty folders, sorted. */
  readonly empty: readonly BytePath[];
  /** Folders that are repositories themselves. */
  readonly nested: readonly BytePath[];
  /** Existing paths missing from the tree. */
  readonly uncovered: readonly BytePath[];
  /** Files added, removed or changed since the index was written. */
  readonly changed: readonly BytePath[];
  readonly held: Held;
}

/** The known content of an index, so that a small change need not go through it. */
export interface Held {
  readonly tree: string;
  /** Identifies the index file; a different fingerprint means different content. */
  readonly fingerprint: string;
}

function fingerprintIndex({ repository, index }: View): string {
  const stat = lstatSync(join(repository, index), { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
}

interface Scanner {
  readonly git: Git;
  readonly objects: Objects;
  readonly allowance: Allowance;
}

interface Found {
  files: BytePath[];
  empty: BytePath[];
  nested: BytePath[];
  uncovered: BytePath[];
}

/**
 * Scans the folder into a tree. Two git processes run in parallel: one checks known files, one finds new ones. A small
 * difference is laid over the index's known content and found again by the next scan; a larger one goes into the index.
 */
export async function scanFolder(
  { git, objects, allowance }: Scanner,
  view: View,
  coverage: Coverage,
  last?: Held,
): Promise<Scan> {
  // The first index is built once the difference no longer fits over nothing.
  const bare = fingerprintIndex(view) === '';
  const held = last ?? (bare ? { tree: emptyTree, fingerprint: '' } : undefined);
  const [known, fresh] = await Promise.all([
    bare
      ? ''
      : git(view, ['diff-files', '-z', '--name-only', '--no-renames', '--ignore-submodules=all']),
    git(view, [
      'ls-files',
      '-z',
      '--others',
      '--directory',
      ...coverage.patterns.flatMap((pattern) => ['-x', pattern]),
    ]),
  ]);
  const found: Found = { files: [], empty: [], nested: [], uncovered: [] };
  for (const entry of splitNul(fresh)) {
    if (entry.endsWith('/')) lookInto(view.folder, entry.slice(0, -1), coverage, found);
    else found.files.push(entry);
  }
  lookBehind(view.folder, leaveOutCovered(splitNul(known), new Set(found.files)), coverage, found);
  const files = await leaveOutLarge({ git, allowance }, view, coverage, found);
  const rest = leaveOutHuge(view, leaveOutCovered(splitNul(known), new Set(files)), found);
  const paths = await leaveOutUnreadable(view, [...rest, ...files], found);
  const trees = await toTree();
  return {
    ...trees,
    empty: found.empty.toSorted(),
    nested: found.nested.toSorted(),
    uncovered: found.uncovered.toSorted(),
    changed: paths,
  };

  async function toTree(): Promise<Pick<Scan, 'tree' | 'held'>> {
    if (held !== undefined && held.fingerprint === fingerprintIndex(view)) {
      const tree = await overlay(objects, view.folder, held.tree, paths);
      if (tree !== undefined) return { tree, held };
    }
    if (paths.length > 0) await addToIndex(git, view, paths);
    const tree = (await git(view, ['write-tree', '--missing-ok'])).trim();
    return { tree, held: { tree, fingerprint: fingerprintIndex(view) } };
  }
}

/** Above this many new objects, one sync of the whole file system is faster. */
const manyPaths = 200;

/** Data and build output: time matters more than space. */
const uncompressedBytes = 16 * 1024 * 1024;

async function addToIndex(git: Git, view: View, paths: readonly BytePath[]): Promise<void> {
  const many = paths.length > manyPaths;
  const bytes = many ? 0 : paths.reduce((sum, path) => sum + sizeAt(toFile(view.folder, path)), 0);
  const args = [
    ...(many ? ['-c', 'core.fsync=none'] : []),
    ...(bytes > uncompressedBytes ? ['-c', 'core.looseCompression=0'] : []),
    'update-index',
    '-z',
    '--add',
    '--remove',
    '--replace',
    '--stdin',
  ];
  await git(view, args, { input: paths.map((path) => `${path}\0`).join('') });
  if (many) await run('sync', ['-f', view.repository]);
}

/** What git does not report because of its index: a folder where it has a file, and one whose files are all gone. */
function lookBehind(
  root: string,
  known: readonly BytePath[],
  coverage: Coverage,
  found: Found,
): void {
  const emptied = new Set<BytePath>();
  for (const path of known) {
    const stat = lookAt(toFile(root, path));
    if (stat === 'unreachable') continue;
    if (stat?.isDirectory() === true) lookInto(root, path, coverage, found);
    else if (stat === undefined) {
      const folder = path.slice(0, Math.max(path.lastIndexOf('/'), 0));
      if (folder !== '' && readFolder(root, folder)?.length === 0) emptied.add(folder);
    }
  }
  found.empty.push(...emptied);
}

/** Lists a folder unknown to git, which would report just the folder. */
function lookInto(root: string, path: BytePath, coverage: Coverage, found: Found): void {
  if (coverage.isExcluded(path)) {
    found.uncovered.push(path);
    return;
  }
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

/** Covers large ignored files, smallest first, within the allowance; other files up to a maximum size. */
async function leaveOutLarge(
  { git, allowance }: Pick<Scanner, 'git' | 'allowance'>,
  view: View,
  { maxIgnoredBytes }: Coverage,
  found: Found,
): Promise<BytePath[]> {
  const sizes = new Map(
    found.files.map((path) => [path, sizeAt(toFile(view.folder, path))] as const),
  );
  const sizeOf = (path: BytePath): number => sizes.get(path) ?? 0;
  const left = new Set(found.files.filter((path) => sizeOf(path) > maxBytes));
  const asked = found.files.filter((path) => sizeOf(path) > maxIgnoredBytes && !left.has(path));
  if (asked.length > 0) {
    // Prefixed with a dot, because a name starting with a colon would be read as a pattern.
    const input = asked.map((path) => `./${path}\0`).join('');
    const args = ['check-ignore', '-z', '--no-index', '--stdin'];
    const ignored = splitNul(await git(view, args, { input, accept: [0, 1] }));
    for (const path of ignored
      .map((named) => named.slice(2))
      .toSorted((a, b) => sizeOf(a) - sizeOf(b))) {
      const size = sizeOf(path);
      if (size > maxAllowedBytes || size > allowance.bytes) left.add(path);
      else allowance.bytes -= size;
    }
  }
  found.uncovered.push(...left);
  return found.files.filter((path) => !left.has(path));
}

/** A covered file that grew too large keeps its old entry, but counts as uncovered. */
function leaveOutHuge({ folder }: View, paths: readonly BytePath[], found: Found): BytePath[] {
  const huge = paths.filter((path) => sizeAt(toFile(folder, path)) > maxBytes);
  found.uncovered.push(...huge);
  return huge.length === 0 ? [...paths] : paths.filter((path) => !huge.includes(path));
}

/** Drops entries below a folder that became a file or link: git does not look beyond it. */
const leaveOutCovered = (known: readonly BytePath[], files: ReadonlySet<BytePath>): BytePath[] =>
  known.filter((path) => {
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1))
      if (files.has(path.slice(0, end))) return false;
    return true;
  });

/** Reports unreadable files; the index has an older version of them. */
async function leaveOutUnreadable(
  { folder }: View,
  paths: readonly BytePath[],
  found: Found,
): Promise<BytePath[]> {
  const readable = await Promise.all(paths.map((path) => isReadable(toFile(folder, path))));
  found.uncovered.push(...paths.filter((_, index) => readable[index] === false));
  return paths.filter((_, index) => readable[index] === true);
}

async function isReadable(file: Buffer): Promise<boolean> {
  try {
    // The superuser can read everything it can reach.
    if (statPath(file)?.isFile() === true && process.getuid?.() !== 0)
      await access(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
