import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Git, View } from './git.ts';
import { splitNul } from './git.ts';
import { toFile } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import { lookAt, overlay, sizeAt } from './entries.ts';
import type { Allowance, Coverage } from './coverage.ts';
import { leaveOutCovered, leaveOutHuge, leaveOutLarge, leaveOutUnreadable } from './leave-out.ts';
import type { Found } from './leave-out.ts';
import { emptyTree } from './objects.ts';
import type { Objects } from './objects.ts';
import { execute } from '../sandbox/execute.ts';

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
  readonly held: IndexContent;
}

/** The known content of an index, so that a small change need not go through it. */
export interface IndexContent {
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

/**
 * Scans the folder into a tree. Two git processes run in parallel: one checks known files, one finds new ones. A small
 * difference is laid over the index's known content and found again by the next scan; a larger one goes into the index.
 */
export async function scanFolder(
  { git, objects, allowance }: Scanner,
  view: View,
  coverage: Coverage,
  last?: IndexContent,
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
  if (many) await execute('sync', ['-f', view.repository]);
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
