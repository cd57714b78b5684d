import { lstatSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { captureWorkspace } from './capture.ts';
import { compareTrees, findDifferences, isSameBut } from './compare.ts';
import { findEntry, lookAt } from './entries.ts';
import { removeFolders, unlinkQuietly } from './disk.ts';
import { noParts, readParts, readUncovered } from './parts.ts';
import { toView } from './shadow.ts';
import type { Parts } from './parts.ts';
import { isRestricted, restoreModes } from './modes.ts';
import { openFolders } from './open-folders.ts';
import { makeWay } from './rescue.ts';
import type { Shadow } from './shadow.ts';
import type { View } from './git.ts';
import type { BytePath } from './byte-path.ts';
import { joinPath, parentOf, toFile, toText } from './byte-path.ts';
import { fillObjects, keepForGood } from './git-objects.ts';
import { findUncovered } from './uncovered.ts';
import type { Uncovered } from './uncovered.ts';

/** The folder could not be brought to the snapshot; the restore stopped there. */
export class RestoreError extends Error {
  override readonly name = 'RestoreError';
}

export interface Restored {
  /** Repositories with objects that could not be found, for people. */
  readonly incomplete: readonly string[];
  /** Paths left alone because no snapshot holds them, for people. */
  readonly left: readonly string[];
}

/**
 * Restores a snapshot, whatever the workspace holds now. Uncovered paths stay, and if one is in the way, it is stored
 * first. Verifies the result before returning. @throws RestoreError
 */
export async function restoreWorkspace(shadow: Shadow, target: string): Promise<Restored> {
  const { workspace, objects } = shadow;
  if (lstatSync(workspace, { throwIfNoEntry: false }) === undefined)
    mkdirSync(workspace, { recursive: true });
  let { tree: current } = await captureWorkspace(shadow);
  if (await openFolders(shadow, current, target))
    ({ tree: current } = await captureWorkspace(shadow));
  if (current === target) return { incomplete: [], left: [] };
  const restoring: Restoring = {
    ...shadow,
    incomplete: [],
    left: new Set(),
    existed: await readUncovered(objects, target),
  };
  await restoreRepository(
    restoring,
    '',
    await readParts(objects, current),
    await readParts(objects, target),
  );
  const { tree: reached } = await captureWorkspace(shadow);
  const wrong = await judgeReached(restoring, { current, target, reached });
  const { incomplete, left } = restoring;
  if (wrong.length === 0) return { incomplete, left: [...left].map((path) => toText(path)) };
  const named = wrong.slice(0, 20).map((path) => toText(path));
  throw new RestoreError(
    `${workspace} could not be restored; these files differ: ${named.join(', ')}. Close programs that write there, and check permissions.`,
  );
}

/** Paths that could match the snapshot and do not; notes those that had to stay. */
async function judgeReached(
  shadow: Restoring,
  { current, target, reached }: Readonly<Record<'current' | 'target' | 'reached', string>>,
): Promise<BytePath[]> {
  if (await isSameBut(shadow, reached, target)) return [];
  const uncovered = await readUncovered(shadow.objects, current);
  const stays = new Map([
    ...[...shadow.left].map((path) => [path, ''] as const),
    ...shadow.existed,
  ]);
  const wrong: BytePath[] = [];
  for (const { path, isExtra } of await findDifferences(shadow, target, reached)) {
    if (findUncovered(stays, path) !== undefined) continue;
    if ([...stays.keys()].some((at) => at.startsWith(`${path}/`))) continue;
    // Covered only now that the rest is restored.
    if (isExtra && findUncovered(uncovered, path) !== undefined) shadow.left.add(path);
    else wrong.push(path);
  }
  return wrong;
}

interface Restoring extends Shadow {
  /** Repositories with missing objects. */
  readonly incomplete: string[];
  /** Paths left alone, relative to the workspace. */
  readonly left: Set<BytePath>;
  /** What existed, uncovered, when the snapshot was taken: not ours to remove or write. */
  readonly existed: Uncovered;
}

/** True if the path must not be touched; notes it. */
function mustStay({ existed, left }: Restoring, path: BytePath): boolean {
  const stays = findUncovered(existed, path) !== undefined;
  if (stays) left.add(path);
  return stays;
}

async function restoreRepository(
  shadow: Restoring,
  path: BytePath,
  current: Parts,
  target: Parts,
): Promise<void> {
  const { objects } = shadow;
  const gone = [...current.nested].filter(([inner]) => !target.nested.has(inner));
  for (const [inner, tree] of gone) await removeRepository(shadow, joinPath(path, inner), tree);
  await restoreFiles(shadow, { view: toView(shadow, path, 'files'), at: path }, current, target);
  await restoreGit(shadow, path, current, target);
  for (const [inner, tree] of target.nested) {
    const before = current.nested.get(inner);
    await restoreRepository(
      shadow,
      joinPath(path, inner),
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
  const at = joinPath(path, '.git');
  if (mustStay(shadow, at)) return;
  const file = toView(shadow, path, 'git').folder;
  if (current.pointer !== undefined) rmSync(file, { force: true });
  const there = lstatSync(file, { throwIfNoEntry: false });
  if (current.git === undefined && there !== undefined) {
    // Something that cannot be covered is in its place.
    shadow.left.add(at);
    return;
  }
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
    if (current !== undefined) await removeGitFolder(shadow, path, current);
    return;
  }
  mkdirSync(`${view.folder}/objects`, { recursive: true });
  await restoreFiles(
    shadow,
    { view, at: joinPath(path, '.git') },
    current === undefined ? noParts : await readParts(shadow.objects, current),
    await readParts(shadow.objects, target),
  );
  if (current !== target && !(await fillObjects(shadow, path)))
    shadow.incomplete.push(path === '' ? '.' : toText(path));
}

/** Removes a git folder after storing its objects; the rest is in a snapshot. Anything that is not stays. */
async function removeGitFolder(shadow: Restoring, path: BytePath, tree: string): Promise<void> {
  const at = joinPath(path, '.git');
  if (mustStay(shadow, at)) return;
  const { uncovered } = await readParts(shadow.objects, tree);
  for (const inner of uncovered.keys()) shadow.left.add(joinPath(at, inner));
  if (uncovered.size > 0) return;
  await keepForGood(shadow, path);
  rmSync(toView(shadow, path, 'git').folder, { recursive: true, force: true });
}

/** Removes a repository created since, with its git folder; uncovered files stay. */
async function removeRepository(shadow: Restoring, path: BytePath, tree: string): Promise<void> {
  if (mustStay(shadow, path)) return;
  const parts = await readParts(shadow.objects, tree);
  for (const [inner, nested] of parts.nested)
    await removeRepository(shadow, joinPath(path, inner), nested);
  const view = toView(shadow, path, 'files');
  if (parts.git !== undefined) await removeGitFolder(shadow, path, parts.git);
  else if (parts.pointer !== undefined && !mustStay(shadow, joinPath(path, '.git')))
    rmSync(toView(shadow, path, 'git').folder, { force: true });
  await restoreFiles(shadow, { view, at: path }, parts, noParts);
  removeFolders(shadow.workspace, path, new Set());
  shadow.memories.delete(path);
}

interface Spot {
  readonly view: View;
  /** The view's folder, relative to the workspace. */
  readonly at: BytePath;
}

async function restoreFiles(
  shadow: Restoring,
  { view, at }: Spot,
  current: Parts,
  target: Parts,
): Promise<void> {
  const { git } = shadow;
  mkdirSync(view.folder, { recursive: true });
  const changes = (await compareTrees(shadow, view, current.files, target.files)).filter(
    ({ path }) => !mustStay(shadow, joinPath(at, path)),
  );
  const keep = new Set(target.empty);
  for (const { kind, path } of changes)
    if (kind === 'deleted') unlinkQuietly(toFile(view.folder, path));
  for (const { kind, path } of changes)
    if (kind === 'deleted') removeFolders(view.folder, parentOf(path), keep);
  for (const path of current.empty) if (!keep.has(path)) removeFolders(view.folder, path, keep);
  const wanted = changes.filter(({ kind }) => kind !== 'deleted').map(({ path }) => path);
  for (const path of current.uncovered.keys()) {
    if (wanted.includes(path) || findUncovered(target.uncovered, path) !== undefined) continue;
    const entry = await findEntry(shadow.objects, target.files, path.split('/'));
    if (entry !== undefined && entry.mode !== '40000') wanted.push(path);
  }
  const free = await makeWay(shadow, view, { wanted, covered: current });
  for (const path of wanted) if (!free.has(path)) shadow.left.add(joinPath(at, path));
  await git(view, ['read-tree', '--reset', target.files]);
  const secret = await writeRestricted(shadow, view, [...free], target);
  const rest = [...free].filter((path) => !secret.has(path));
  if (rest.length > 0) {
    const input = rest.map((path) => `${path}\0`).join('');
    await git(view, ['checkout-index', '-f', '-u', '-z', '--stdin'], { input });
  }
  for (const path of target.empty) makeFolder(shadow, { view, at }, path);
  if (target.modes === undefined) return;
  restoreModes(view.folder, {
    current: current.modes,
    target: target.modes,
    written: free,
    mustStay: (path) => findUncovered(shadow.existed, joinPath(at, path)) !== undefined,
  });
}

/** Larger files are written by git and restricted right after. */
const maxWrittenBytes = 16 * 1024 * 1024;

/**
 * Creates restricted folders and files with their final bits, because git would write them open first. Returns the
 * files.
 */
async function writeRestricted(
  { objects }: Restoring,
  { folder }: View,
  paths: readonly BytePath[],
  { files, empty, modes = new Map() }: Parts,
): Promise<Set<BytePath>> {
  for (const [path, mode] of [...modes].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (!isRestricted(mode) || lookAt(toFile(folder, path)) !== undefined) continue;
    const isFolder = (await findEntry(objects, files, path.split('/')))?.mode === '40000';
    if (!isFolder && !empty.includes(path)) continue;
    mkdirSync(toFile(folder, parentOf(path)), { recursive: true });
    mkdirSync(toFile(folder, path), { mode: 0o700 });
  }
  const written = new Set<BytePath>();
  for (const path of paths) {
    const mode = modes.get(path);
    const entry = isRestricted(mode) ? await findEntry(objects, files, path.split('/')) : undefined;
    if (entry?.mode.startsWith('100') !== true) continue;
    const content = await objects.read(entry.id);
    if (content.length > maxWrittenBytes) continue;
    const file = toFile(folder, path);
    mkdirSync(toFile(folder, parentOf(path)), { recursive: true });
    unlinkQuietly(file);
    writeFileSync(file, content, { flag: 'wx', mode: 0o600 });
    written.add(path);
  }
  return written;
}

function makeFolder({ left }: Restoring, { view, at }: Spot, path: BytePath): void {
  try {
    mkdirSync(toFile(view.folder, path), { recursive: true });
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST' && code !== 'ENOTDIR') throw error;
    // A file no snapshot holds.
    left.add(joinPath(at, path));
  }
}
