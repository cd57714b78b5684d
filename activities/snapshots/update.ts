import { readdirSync } from 'node:fs';
import { addParts, readParts, readUncovered } from './parts.ts';
import type { Shadow } from './shadow.ts';
import { toFile } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import { readEntry, replaceIn, statPath } from './entries.ts';
import { updateModes } from './modes.ts';
import { emptyTree } from './objects.ts';
import { maxBytes, workspaceCoverage } from './coverage.ts';
import { findUncovered } from './uncovered.ts';

/**
 * The snapshot after a file tool: `tree` with the given paths as on disk. Touches only the trees above them, so the
 * cost does not depend on the size of the folder. Its objects are durable when it resolves.
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

/** Adds uncovered files to a snapshot, because they are about to be changed. */
export async function coverPaths(
  shadow: Shadow,
  tree: string,
  paths: readonly string[],
): Promise<string> {
  if (paths.length === 0) return tree;
  const uncovered = await readUncovered(shadow.objects, tree);
  const asked = paths.filter((path) => {
    const at = Buffer.from(path).toString('latin1');
    const size = statPath(toFile(shadow.workspace, at))?.size ?? 0;
    return uncovered.has(at) && size <= maxBytes;
  });
  return asked.length === 0 ? tree : await updateSnapshot(shadow, tree, asked);
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
  const gap = findUncovered(parts.uncovered, path);
  // A folder that snapshots leave out is not covered file by file.
  if (gap !== undefined && gap !== path) return tree;
  const root = `${shadow.workspace}/${Buffer.from(prefix, 'latin1').toString('utf8')}`;
  const entry = readEntry(objects, root, path);
  const files = (await replaceIn(objects, parts.files, names, entry)) ?? emptyTree;
  const empty =
    entry === undefined
      ? addEmptied(root, path, parts.empty)
      : parts.empty.filter((folder) => !path.startsWith(`${folder}/`));
  const uncovered = new Map(parts.uncovered);
  uncovered.delete(path);
  const modes = parts.modes && updateModes(parts.modes, root, [path]);
  return addParts(objects, { ...parts, files, empty, uncovered, modes });
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
