/** Reads and replaces entries of file trees in this process. */
import { lstatSync, readFileSync, readlinkSync } from 'node:fs';
import type { Stats } from 'node:fs';
import type { Objects, TreeEntry } from './objects.ts';
import { emptyTree } from './objects.ts';
import { toFile } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';

/** Stats a path; undefined if nothing is there, or a parent is a file now. */
export function statPath(file: Buffer): Stats | undefined {
  try {
    return lstatSync(file, { throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** As `statPath`, returning `unreachable` instead of throwing. */
export function lookAt(file: Buffer): Stats | 'unreachable' | undefined {
  try {
    return statPath(file);
  } catch {
    return 'unreachable';
  }
}

/** Size in bytes; 0 for nothing and for the unreachable. */
export function sizeAt(file: Buffer): number {
  try {
    return statPath(file)?.size ?? 0;
  } catch {
    return 0;
  }
}

/** The entry of a file or link as it is on disk; undefined for anything else. */
export function readEntry(objects: Objects, root: string, path: BytePath): TreeEntry | undefined {
  const file = toFile(root, path);
  const name = path.slice(path.lastIndexOf('/') + 1);
  const stat = statPath(file);
  if (stat?.isSymbolicLink() === true)
    return { mode: '120000', name, id: objects.add('blob', readlinkSync(file, 'buffer')) };
  if (stat?.isFile() !== true) return undefined;
  const mode = (stat.mode & 0o100) === 0 ? '100644' : '100755';
  return { mode, name, id: objects.add('blob', readFileSync(file)) };
}

/** The tree with one entry added or removed; undefined if it becomes empty. */
export async function replaceIn(
  objects: Objects,
  tree: string | undefined,
  [name = '', ...rest]: readonly string[],
  entry: TreeEntry | undefined,
): Promise<string | undefined> {
  const entries = tree === undefined ? [] : await objects.readTree(tree);
  const old = entries.find((candidate) => candidate.name === name);
  const others = entries.filter((candidate) => candidate !== old);
  let fresh = entry;
  if (rest.length > 0) {
    const id = await replaceIn(objects, old?.mode === '40000' ? old.id : undefined, rest, entry);
    fresh = id === undefined ? undefined : { mode: '40000', name, id };
  }
  const all = fresh === undefined ? others : [...others, fresh];
  return all.length === 0 ? undefined : objects.addTree(all);
}

/** The entry at a path, if any. */
export async function findEntry(
  objects: Objects,
  tree: string | undefined,
  [name = '', ...rest]: readonly string[],
): Promise<TreeEntry | undefined> {
  if (tree === undefined) return undefined;
  const found = (await objects.readTree(tree)).find((entry) => entry.name === name);
  if (found === undefined || rest.length === 0) return found;
  return found.mode === '40000' ? await findEntry(objects, found.id, rest) : undefined;
}

/** Reading and hashing more than this would block the process. */
const maxPaths = 32;
const maxBytes = 1024 * 1024;

/** The tree with these paths as on disk; undefined if git should do it, because there are many or large files. */
export async function overlay(
  objects: Objects,
  root: string,
  tree: string,
  paths: readonly BytePath[],
): Promise<string | undefined> {
  if (paths.length > maxPaths) return undefined;
  const sizes = paths.map((path) => sizeAt(toFile(root, path)));
  if (sizes.reduce((sum, size) => sum + size, 0) > maxBytes) return undefined;
  let result: string | undefined = tree;
  // When a folder replaces a file, the file must go before the folder's content comes.
  for (const path of paths.toSorted())
    result = await replaceIn(objects, result, path.split('/'), readEntry(objects, root, path));
  return result ?? emptyTree;
}
