import type { BytePath } from '../../snapshots/byte-path.ts';

export const parentOf = (path: BytePath): BytePath =>
  path.slice(0, Math.max(path.lastIndexOf('/'), 0));

export const isBelow = (folder: BytePath, path: BytePath): boolean =>
  folder === '' ? path !== '' : path.startsWith(`${folder}/`);

/** A path relative to a folder containing it. */
export const fromFolder = (folder: BytePath, path: BytePath): BytePath =>
  folder === '' ? path : path.slice(folder.length + 1);

export const deepestFirst = (a: BytePath, b: BytePath): number => b.length - a.length;

/** Whether the path is below one of the folders. */
export function isInAny(folders: ReadonlySet<BytePath>, path: BytePath): boolean {
  for (let at = path; at !== '';) {
    at = parentOf(at);
    if (folders.has(at)) return true;
  }
  return false;
}

/** Those in a folder. `sorted` as by `toSorted()`, so that paths with a common prefix are adjacent. */
export function inFolder(sorted: readonly BytePath[], folder: BytePath): BytePath[] {
  const start = folder === '' ? '' : `${folder}/`;
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((sorted[middle] ?? '') < start) from = middle + 1;
    else to = middle;
  }
  const found: BytePath[] = [];
  for (let path = sorted[from]; path?.startsWith(start) === true; path = sorted[(from += 1)])
    if (path !== '') found.push(path);
  return found;
}
