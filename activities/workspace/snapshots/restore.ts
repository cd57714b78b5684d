import {
  lstatSync,
  mkdirSync,
  rmSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { captureWorkspace } from './capture.ts';
import { noParts, readParts } from './parts.ts';
import { toView } from './shadow.ts';
import type { Parts } from './parts.ts';
import type { Shadow } from './shadow.ts';
import type { View } from './git.ts';
import { splitNul } from './git.ts';
import type { BytePath } from './byte-path.ts';
import { toFile, toText } from './byte-path.ts';
import { fillObjects, keepForGood } from './kept.ts';

/** The folder cannot be brought to the snapshot; nothing more was tried. */
export class RestoreError extends Error {
  override readonly name = 'RestoreError';
}

export interface Change {
  readonly kind: 'added' | 'changed' | 'deleted';
  readonly path: BytePath;
}

const kinds: Readonly<Record<string, Change['kind']>> = { A: 'added', D: 'deleted' };

/** What became of each file between two trees of files. */
export async function compareTrees(
  { git }: Shadow,
  view: View,
  before: string,
  after: string,
): Promise<Change[]> {
  if (before === after) return [];
  const args = ['diff-tree', '-r', '-z', '--name-status', '--no-renames', before, after];
  const words = splitNul(await git(view, args));
  return words.flatMap((word, index) =>
    index % 2 === 0 ? [{ kind: kinds[word] ?? 'changed', path: words[index + 1] ?? '' }] : [],
  );
}

/**
 * Brings the workspace to a snapshot, whatever it holds now: what is not covered by snapshots stays as it is. Looks again
 * afterwards, so that what it returns from is the snapshot. Returns the repositories of which objects are nowhere to be found.
 * @throws RestoreError
 */
export async function restoreWorkspace(shadow: Shadow, target: string): Promise<string[]> {
  const { workspace, objects } = shadow;
  if (lstatSync(workspace, { throwIfNoEntry: false }) === undefined)
    mkdirSync(workspace, { recursive: true });
  const { tree: current } = await captureWorkspace(shadow);
  if (current === target) return [];
  const incomplete: string[] = [];
  await restoreRepository(
    { ...shadow, incomplete },
    '',
    await readParts(objects, current),
    await readParts(objects, target),
  );
  const { tree: reached } = await captureWorkspace(shadow);
  if (reached === target) return incomplete;
  const [is, wanted] = [await readParts(objects, reached), await readParts(objects, target)];
  const view = toView(shadow, '', 'files');
  const paths = (await compareTrees(shadow, view, wanted.files, is.files)).map(({ path }) =>
    toText(path),
  );
  const named =
    paths.length === 0 ? 'its git folder or empty folders' : paths.slice(0, 20).join(', ');
  throw new RestoreError(
    `${workspace} could not be brought back to an earlier state; these differ: ${named}. Close programs that write there, and check permissions.`,
  );
}

interface Restoring extends Shadow {
  /** Repositories of which objects are missing. */
  readonly incomplete: string[];
}

async function restoreRepository(
  shadow: Restoring,
  path: BytePath,
  current: Parts,
  target: Parts,
): Promise<void> {
  const { objects } = shadow;
  const below = (inner: BytePath): BytePath => (path === '' ? inner : `${path}/${inner}`);
  const gone = [...current.nested].filter(([inner]) => !target.nested.has(inner));
  for (const [inner, tree] of gone) await removeRepository(shadow, below(inner), tree);
  await restoreFiles(shadow, toView(shadow, path, 'files'), current, target);
  await restoreGit(shadow, path, current, target);
  for (const [inner, tree] of target.nested) {
    const before = current.nested.get(inner);
    await restoreRepository(
      shadow,
      below(inner),
      before === undefined ? noParts : await readParts(objects, before),
      await readParts(objects, tree),
    );
  }
  const memory = shadow.memories.get(path);
  if (memory !== undefined) {
    delete memory.files;
    delete memory.git;
  }
}

async function restoreGit(
  shadow: Restoring,
  path: BytePath,
  current: Parts,
  target: Parts,
): Promise<void> {
  const file = toView(shadow, path, 'git').folder;
  if (current.pointer !== undefined) rmSync(file, { force: true });
  if (target.git !== undefined || current.git !== undefined)
    await restoreGitFolder(shadow, path, current.git, target.git);
  if (target.pointer === undefined) return;
  const content = await shadow.objects.read(target.pointer.id);
  if (target.pointer.mode === '120000') symlinkSync(content, file);
  else writeFileSync(file, content, { flag: 'wx' });
}

async function restoreGitFolder(
  shadow: Restoring,
  path: BytePath,
  current: string | undefined,
  target: string | undefined,
): Promise<void> {
  const view = toView(shadow, path, 'git');
  if (target === undefined) {
    // It was not a repository then.
    await keepForGood(shadow, path);
    rmSync(view.folder, { recursive: true, force: true });
    return;
  }
  mkdirSync(`${view.folder}/objects`, { recursive: true });
  await restoreFiles(
    shadow,
    view,
    current === undefined ? noParts : await readParts(shadow.objects, current),
    await readParts(shadow.objects, target),
  );
  if (current !== target && !(await fillObjects(shadow, path)))
    shadow.incomplete.push(path === '' ? '.' : toText(path));
}

/** Removes a repository that came into being since, with its git folder; what is not covered stays. */
async function removeRepository(shadow: Shadow, path: BytePath, tree: string): Promise<void> {
  const parts = await readParts(shadow.objects, tree);
  for (const [inner, nested] of parts.nested)
    await removeRepository(shadow, `${path}/${inner}`, nested);
  const view = toView(shadow, path, 'files');
  await keepForGood(shadow, path);
  rmSync(toView(shadow, path, 'git').folder, { recursive: true, force: true });
  await restoreFiles(shadow, view, parts, noParts);
  removeFolders(shadow.workspace, path, new Set());
  shadow.memories.delete(path);
}

async function restoreFiles(
  shadow: Shadow,
  view: View,
  current: Parts,
  target: Parts,
): Promise<void> {
  const { git } = shadow;
  mkdirSync(view.folder, { recursive: true });
  const changes = await compareTrees(shadow, view, current.files, target.files);
  const keep = new Set(target.empty);
  for (const { kind, path } of changes)
    if (kind === 'deleted') unlinkQuietly(toFile(view.folder, path));
  for (const { kind, path } of changes)
    if (kind === 'deleted') removeFolders(view.folder, parentOf(path), keep);
  for (const path of current.empty) if (!keep.has(path)) removeFolders(view.folder, path, keep);
  const wanted = changes.filter(({ kind }) => kind !== 'deleted').map(({ path }) => `${path}\0`);
  await git(view, ['read-tree', '--reset', target.files]);
  if (wanted.length > 0) {
    await git(view, ['checkout-index', '-f', '-u', '-z', '--stdin'], { input: wanted.join('') });
  }
  for (const path of target.empty) mkdirSync(toFile(view.folder, path), { recursive: true });
}

const parentOf = (path: BytePath): BytePath => path.slice(0, Math.max(path.lastIndexOf('/'), 0));

function unlinkQuietly(file: Buffer): void {
  try {
    unlinkSync(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
  }
}

/** Removes a folder and those above it, up to the first that is not empty or is to stay. */
function removeFolders(root: string, from: BytePath, keep: ReadonlySet<BytePath>): void {
  for (let path = from; path !== '' && !keep.has(path); path = parentOf(path)) {
    try {
      rmdirSync(toFile(root, path));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') continue;
      if (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOTDIR') return;
      throw error;
    }
  }
}
