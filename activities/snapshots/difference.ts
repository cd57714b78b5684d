/**
 * Finds and reverts differences between two snapshots, file by file and without starting git: only differing trees are
 * read.
 */
import type { BytePath } from './byte-path.ts';
import { replaceIn } from './entries.ts';
import { takeModes } from './modes.ts';
import { emptyTree } from './objects.ts';
import type { Objects, TreeEntry } from './objects.ts';
import { addParts, noParts, readParts } from './parts.ts';
import type { Parts } from './parts.ts';

/** A file, program or link in a snapshot. */
export type FileEntry = Pick<TreeEntry, 'mode' | 'id'>;

export interface Difference {
  /** Relative to the workspace, across nested repositories. */
  readonly path: BytePath;
  readonly before?: FileEntry;
  readonly after?: FileEntry;
}

type Side = 'before' | 'after';
type Found = Map<BytePath, { before?: FileEntry; after?: FileEntry }>;

/** Sorted by path. A file that merely moved between repositories counts as unchanged. */
export async function findDifferences(
  objects: Objects,
  before: string,
  after: string,
): Promise<Difference[]> {
  const found: Found = new Map();
  await compareSnapshots(objects, '', [before, after], found);
  return [...found]
    .filter(([, sides]) => !isSame(sides.before, sides.after))
    .map(([path, sides]) => ({ path, ...sides }))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

export const isSame = (a: FileEntry | undefined, b: FileEntry | undefined): boolean =>
  a?.id === b?.id && a?.mode === b?.mode;

const read = (objects: Objects, tree: string | undefined): Promise<Parts> =>
  tree === undefined ? Promise.resolve(noParts) : readParts(objects, tree);

async function compareSnapshots(
  objects: Objects,
  prefix: BytePath,
  [before, after]: readonly [string | undefined, string | undefined],
  found: Found,
): Promise<void> {
  if (before === after) return;
  const [old, fresh] = [await read(objects, before), await read(objects, after)];
  await compareFolders(objects, prefix, [old.files, fresh.files], found);
  for (const path of new Set([...old.nested.keys(), ...fresh.nested.keys()])) {
    const trees = [old.nested.get(path), fresh.nested.get(path)] as const;
    await compareSnapshots(objects, `${prefix}${path}/`, trees, found);
  }
}

const folderOf = (entry: TreeEntry | undefined): string | undefined =>
  entry?.mode === '40000' ? entry.id : undefined;

async function compareFolders(
  objects: Objects,
  prefix: BytePath,
  [before, after]: readonly [string | undefined, string | undefined],
  found: Found,
): Promise<void> {
  if (before === after) return;
  const list = async (tree: string | undefined): Promise<Map<string, TreeEntry>> =>
    new Map(
      (tree === undefined ? [] : await objects.readTree(tree)).map((entry) => [entry.name, entry]),
    );
  const [old, fresh] = [await list(before), await list(after)];
  const note = (side: Side, name: string, entry: TreeEntry | undefined): void => {
    if (entry === undefined || entry.mode === '40000') return;
    const path = prefix + name;
    found.set(path, { ...found.get(path), [side]: { mode: entry.mode, id: entry.id } });
  };
  for (const name of new Set([...old.keys(), ...fresh.keys()])) {
    const [was, is] = [old.get(name), fresh.get(name)];
    if (isSame(was, is)) continue;
    note('before', name, was);
    note('after', name, is);
    const folders = [folderOf(was), folderOf(is)] as const;
    await compareFolders(objects, `${prefix}${name}/`, folders, found);
  }
}

/** A file in a snapshot; undefined for a folder or nothing. */
export async function findFile(
  objects: Objects,
  tree: string,
  path: BytePath,
): Promise<FileEntry | undefined> {
  const { files, nested } = await readParts(objects, tree);
  for (const [inner, below] of nested)
    if (path.startsWith(`${inner}/`)) return await findFile(objects, below, cut(path, inner));
  let at: string | undefined = files;
  let entry: TreeEntry | undefined;
  for (const name of path.split('/')) {
    if (at === undefined) return undefined;
    entry = (await objects.readTree(at)).find((candidate) => candidate.name === name);
    at = folderOf(entry);
  }
  return entry === undefined || entry.mode === '40000' ? undefined : entry;
}

const cut = (path: BytePath, folder: BytePath): BytePath => path.slice(folder.length + 1);

/** The snapshot with these files as they were in `before`; the next flush writes its objects. */
export async function putBack(
  objects: Objects,
  [tree, before]: readonly [tree: string, before: string | undefined],
  differences: readonly Difference[],
): Promise<string> {
  const parts = await readParts(objects, tree);
  const old = await read(objects, before);
  const nested = new Map(parts.nested);
  let rest = differences;
  for (const [inner, below] of parts.nested) {
    const inside = rest.filter(({ path }) => path.startsWith(`${inner}/`));
    if (inside.length === 0) continue;
    rest = rest.filter((each) => !inside.includes(each));
    const moved = inside.map((each) => ({ ...each, path: cut(each.path, inner) }));
    nested.set(inner, await putBack(objects, [below, old.nested.get(inner)], moved));
  }
  let files: string | undefined = parts.files;
  // Deletions first: a file may have replaced a folder that comes back.
  for (const { path, before: was } of rest.toSorted(
    (a, b) => Number(a.before !== undefined) - Number(b.before !== undefined),
  )) {
    const names = path.split('/');
    const entry = was === undefined ? undefined : { ...was, name: names.at(-1) ?? '' };
    files = await replaceIn(objects, files, names, entry);
  }
  const filled = rest.filter((each) => each.before !== undefined).map(({ path }) => path);
  const empty = parts.empty.filter((folder) =>
    filled.every((path) => path !== folder && !path.startsWith(`${folder}/`)),
  );
  const paths = rest.map(({ path }) => path);
  const modes = takeModes(parts.modes, old.modes, paths);
  return addParts(objects, { ...parts, files: files ?? emptyTree, nested, empty, modes });
}
