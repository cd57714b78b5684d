import { lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { addParts, readParts } from './capture.ts';
import type { Shadow } from './capture.ts';
import type { TreeEntry } from './objects.ts';
import { emptyTree } from './objects.ts';
import { toFile, workspaceCoverage } from './scan.ts';
import type { BytePath } from './scan.ts';

/**
 * The snapshot after a file tool: `tree` with the given paths as they are on disk now. Touches only the trees on the way to
 * them, so it costs the same in a folder of ten files and of a million. Its objects are durable when it resolves.
 */
export async function updateSnapshot(
  shadow: Shadow,
  tree: string,
  paths: readonly string[],
): Promise<string> {
  let result = tree;
  for (const path of paths)
    result = await updatePath(shadow, '', result, Buffer.from(path).toString('latin1'));
  await shadow.objects.flush();
  return result;
}

async function updatePath(
  shadow: Shadow,
  prefix: BytePath,
  tree: string,
  path: BytePath,
): Promise<string> {
  const { objects } = shadow;
  const parts = await readParts(objects, tree);
  for (const [inner, nested] of parts.nested) {
    if (!path.startsWith(`${inner}/`)) continue;
    const below = prefix === '' ? inner : `${prefix}/${inner}`;
    const after = await updatePath(shadow, below, nested, path.slice(inner.length + 1));
    return addParts(objects, { ...parts, nested: new Map([...parts.nested, [inner, after]]) });
  }
  const names = path.split('/');
  if (names.some((_, index) => workspaceCoverage.isExcluded(names.slice(0, index + 1).join('/'))))
    return tree;
  const root = `${shadow.workspace}/${Buffer.from(prefix, 'latin1').toString('utf8')}`;
  const entry = readEntry(shadow, root, path, names.at(-1) ?? '');
  const files = (await replaceIn(shadow, parts.files, names, entry)) ?? emptyTree;
  const empty =
    entry === undefined
      ? addEmptied(root, path, parts.empty)
      : parts.empty.filter((folder) => !path.startsWith(`${folder}/`));
  const memory = shadow.memories.get(prefix);
  // The index does not know of it yet; the next scan finds the difference and writes the same tree.
  if (memory !== undefined) delete memory.files;
  return addParts(objects, { ...parts, files, empty });
}

function readEntry(
  { objects }: Shadow,
  root: string,
  path: BytePath,
  name: string,
): TreeEntry | undefined {
  const file = toFile(root, path);
  const stat = lstatSync(file, { throwIfNoEntry: false });
  if (stat?.isSymbolicLink() === true)
    return { mode: '120000', name, id: objects.add('blob', readlinkSync(file, 'buffer')) };
  if (stat?.isFile() !== true) return undefined;
  const mode = (stat.mode & 0o100) === 0 ? '100644' : '100755';
  return { mode, name, id: objects.add('blob', readFileSync(file)) };
}

/** The tree with one entry put in or taken out; undefined when nothing is left in it. */
export async function replaceIn(
  { objects }: Pick<Shadow, 'objects'>,
  tree: string | undefined,
  [name = '', ...rest]: readonly string[],
  entry: TreeEntry | undefined,
): Promise<string | undefined> {
  const entries = tree === undefined ? [] : await objects.readTree(tree);
  const old = entries.find((candidate) => candidate.name === name);
  const others = entries.filter((candidate) => candidate !== old);
  let fresh = entry;
  if (rest.length > 0) {
    const id = await replaceIn(
      { objects },
      old?.mode === '40000' ? old.id : undefined,
      rest,
      entry,
    );
    fresh = id === undefined ? undefined : { mode: '40000', name, id };
  }
  const all = fresh === undefined ? others : [...others, fresh];
  return all.length === 0 ? undefined : objects.addTree(all);
}

/** Deleting the last file of a folder leaves the folder; nothing else in it is covered. */
function addEmptied(root: string, path: BytePath, empty: readonly BytePath[]): BytePath[] {
  const folder = path.slice(0, Math.max(path.lastIndexOf('/'), 0));
  try {
    if (folder === '' || readdirSync(toFile(root, folder)).length > 0) return [...empty];
  } catch {
    return [...empty];
  }
  return [...new Set([...empty, folder])].toSorted();
}
