/**
 * Saves what a restore would overwrite and no snapshot holds into the store first; otherwise the restore leaves it
 * alone.
 */
import { unlinkSync } from 'node:fs';
import type { BytePath } from './byte-path.ts';
import { parentOf, toFile } from './byte-path.ts';
import { findEntry, lookAt, readEntry, replaceIn } from './entries.ts';
import type { View } from './git.ts';
import type { TreeEntry } from './objects.ts';
import { addParts, noParts } from './parts.ts';
import type { Parts } from './parts.ts';
import { maxBytes } from './coverage.ts';
import type { Shadow } from './shadow.ts';
import { findUncovered } from './uncovered.ts';

interface Wanted {
  readonly wanted: readonly BytePath[];
  /** What a snapshot just taken holds of the folder. */
  readonly covered: Parts;
}

/** Larger files are not read into memory. */
const maxReadBytes = 32 * 1024 * 1024;

/** Which of the wanted paths may be written. Anything in the way that no snapshot held is now in the store. */
export async function makeWay(
  shadow: Shadow,
  view: View,
  { wanted, covered }: Wanted,
): Promise<Set<BytePath>> {
  const free = new Set<BytePath>();
  const rescued = new Map<BytePath, TreeEntry>();
  const folders = new Map<BytePath, boolean>([['', true]]);
  for (const path of wanted)
    if (await clearFolder(parentOf(path))) if (await clear(path)) free.add(path);
  if (rescued.size > 0) await keepAside(shadow, rescued);
  return free;

  /** Makes sure that all parents are folders. */
  async function clearFolder(path: BytePath): Promise<boolean> {
    const known = folders.get(path);
    if (known !== undefined) return known;
    const isFree =
      (await clearFolder(parentOf(path))) &&
      (isFolder(toFile(view.folder, path)) || (await clear(path)));
    folders.set(path, isFree);
    return isFree;
  }

  async function clear(path: BytePath): Promise<boolean> {
    const file = toFile(view.folder, path);
    const stat = lookAt(file);
    if (stat === undefined) return true;
    if (stat === 'unreachable') return false;
    // Everything covered has been removed already; the rest is uncovered.
    if (stat.isDirectory()) return false;
    if (!stat.isFile() && !stat.isSymbolicLink()) {
      // A FIFO or socket has no content.
      unlinkSync(file);
      return true;
    }
    const isCovered =
      findUncovered(covered.uncovered, path) === undefined &&
      (await findEntry(shadow.objects, covered.files, path.split('/'))) !== undefined;
    if (isCovered) return true;
    const entry = await store(shadow, view, path, stat.size);
    if (entry === undefined) return false;
    rescued.set(path, entry);
    return true;
  }
}

function isFolder(file: Buffer): boolean {
  const stat = lookAt(file);
  return stat !== 'unreachable' && stat?.isDirectory() === true;
}

async function store(
  { objects, git }: Shadow,
  view: View,
  path: BytePath,
  size: number,
): Promise<TreeEntry | undefined> {
  try {
    if (size <= maxReadBytes) {
      const entry = readEntry(objects, view.folder, path);
      await objects.flush();
      return entry;
    }
    if (size > maxBytes || path.includes('\n')) return undefined;
    const args = ['-c', 'core.looseCompression=0', 'hash-object', '-w', '--no-filters'];
    const id = (await git(view, [...args, '--stdin-paths'], { input: `${path}\n` })).trim();
    return { mode: '100644', name: path.slice(path.lastIndexOf('/') + 1), id };
  } catch {
    // Unreadable, so it stays.
    return undefined;
  }
}

/** Names what was saved, durably, before anything is overwritten. */
async function keepAside(
  { objects, keepAside: keep }: Shadow,
  rescued: ReadonlyMap<BytePath, TreeEntry>,
): Promise<void> {
  let files: string | undefined;
  for (const [path, entry] of rescued)
    files = await replaceIn(objects, files, path.split('/'), entry);
  if (files === undefined) return;
  const tree = addParts(objects, { ...noParts, files });
  await keep(tree);
}
