/**
 * Objects of repositories in a workspace. Snapshots store git folders without them, because they are many, large and
 * immutable. They are stored beside the snapshots instead, as hard links that take no space while the workspace still
 * has them, in one folder per path that held a repository. Across file systems they are copied, but only when their git
 * folder has to go.
 */
import { createHash, randomUUID } from 'node:crypto';
import { copyFileSync, linkSync, lstatSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { BytePath } from './byte-path.ts';
import { toText } from './byte-path.ts';
import { readParts } from './parts.ts';
import { toView } from './shadow.ts';
import type { Shadow } from './shadow.ts';
import { execute } from '../sandbox/execute.ts';
import { findMissingObjects, hasAny } from './missing-objects.ts';
import type { MissingObjects } from './missing-objects.ts';

/** Append-only parts of a git folder beside its objects. */
const objectFolders = ['objects', 'lfs', 'annex'];

const toKept = ({ repository }: Shadow): string => join(repository, 'kept');

const toKeptFolder = (shadow: Shadow, path: BytePath): string =>
  join(toKept(shadow), createHash('sha256').update(path, 'latin1').digest('hex').slice(0, 16));

/** Links the repository's objects that are not stored yet; does nothing if linking is impossible. */
export const keepObjects = (shadow: Shadow, path: BytePath): Promise<void> =>
  carryAll(toView(shadow, path, 'git').folder, toKeptFolder(shadow, path), false);

/** Stores all of the repository's objects, so that its git folder may be removed. Durable when it resolves. */
export async function keepForGood(shadow: Shadow, path: BytePath): Promise<void> {
  const folder = toView(shadow, path, 'git').folder;
  if (!isFolder(folder)) return;
  await carryAll(folder, toKeptFolder(shadow, path), true);
  await execute('sync', ['-f', shadow.repository]);
}

/** Fetches the objects of every repository in a snapshot from another copy of the workspace, for the next restore. */
export async function fetchObjects(
  shadow: Shadow,
  from: string,
  tree: string,
  path: BytePath = '',
): Promise<void> {
  const { git, nested } = await readParts(shadow.objects, tree);
  if (git !== undefined) {
    const there = toView({ ...shadow, workspace: from }, path, 'git').folder;
    await carryAll(there, toKeptFolder(shadow, path), true);
  }
  for (const [inner, below] of nested)
    await fetchObjects(shadow, from, below, path === '' ? inner : `${path}/${inner}`);
}

/**
 * Restores objects that a repository refers to and lacks, from wherever they are: stored for this path or another, in
 * another repository of the workspace, or in the workspace this one is a copy of. False if some are nowhere.
 */
export async function fillObjects(shadow: Shadow, path: BytePath): Promise<boolean> {
  const folder = toView(shadow, path, 'git').folder;
  const sources = [toKeptFolder(shadow, path), ...findSources(shadow, path)];
  let whole = true;
  for (const unit of await findUnits(folder, toKeptFolder(shadow, path))) {
    const to = join(folder, unit);
    if (!makeFolder(folder, join(unit, 'objects'))) {
      whole = false;
      continue;
    }
    let missing = await findMissingObjects(shadow, to);
    if (missing.isUnknown || missing.ids.size > 0)
      await carryUnit(join(toKeptFolder(shadow, path), unit), folder, unit, true);
    if (missing.isUnknown) continue;
    for (const source of sources) {
      if (missing.ids.size > 0) missing = await findMissingObjects(shadow, to);
      if (missing.ids.size === 0) break;
      await fillFrom(shadow, source, { folder, unit, missing });
    }
    if (missing.ids.size > 0) missing = await findMissingObjects(shadow, to);
    whole &&= !missing.isBroken;
  }
  return whole;
}

interface Gap {
  readonly folder: string;
  readonly unit: string;
  readonly missing: MissingObjects;
}

async function fillFrom(shadow: Shadow, source: string, { folder, unit, missing }: Gap) {
  for (const other of await findUnits(source)) {
    if (await hasAny(shadow, join(source, other), missing.ids))
      await carryUnit(join(source, other), folder, unit, true);
  }
}

/** Folders where a repository's objects may be, likeliest first. */
function findSources(shadow: Shadow, path: BytePath): string[] {
  const { workspace, origin } = shadow;
  const inWorkspace = [...shadow.memories.keys()].map((at) => toView(shadow, at, 'git').folder);
  const inOrigin = origin === undefined ? [] : [join(origin, toText(path), '.git')];
  const kept = namesIn(toKept(shadow)).map((name) => join(toKept(shadow), name));
  const own = join(workspace, toText(path), '.git');
  return [...inOrigin, ...inWorkspace, ...kept].filter((at) => at !== own && isFolder(at));
}

/** Git folders within a git folder, relative to it: itself and its submodules'. `also` is searched too. */
async function findUnits(folder: string, also?: string): Promise<string[]> {
  const units = new Set(['']);
  for (const root of also === undefined ? [folder] : [folder, also]) {
    const todo = ['modules'];
    for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
      const names = (await list(join(root, at))).filter((entry) => entry.isDirectory());
      if (names.some(({ name }) => name === 'objects')) units.add(at);
      for (const { name } of names)
        if (!notModules.has(name) || at === 'modules') todo.push(join(at, name));
    }
  }
  return [...units];
}

/** Folders of a submodule's git folder that contain no further git folders. */
const notModules = new Set('objects refs logs hooks info lfs annex branches'.split(' '));

async function carryAll(from: string, to: string, mayCopy: boolean): Promise<void> {
  if (!isFolder(from)) return;
  mkdirSync(to, { recursive: true, mode: 0o700 });
  try {
    for (const unit of await findUnits(from)) await carryUnit(join(from, unit), to, unit, mayCopy);
  } catch (error) {
    if (!(error instanceof CannotLink)) throw error;
  }
}

async function carryUnit(from: string, to: string, unit: string, mayCopy: boolean): Promise<void> {
  for (const name of objectFolders) await carryFolder(from, to, { unit, path: name }, mayCopy);
}

/** Only actual objects: no unfinished files, and nothing git can regenerate. */
const isObject = (path: string): boolean =>
  path.startsWith('objects/')
    ? /^objects\/(?:[0-9a-f]{2}\/[0-9a-f]{38,62}|pack\/pack-[0-9a-f]+\.(?:pack|idx|keep|promisor)|info\/alternates)$/.test(
        path,
      )
    : !basename(path).endsWith('.lock');

/** Links or copies what `to` lacks; never through a link, which could lead out of the workspace. */
async function carryFolder(
  from: string,
  to: string,
  { unit, path }: { readonly unit: string; readonly path: string },
  mayCopy: boolean,
): Promise<void> {
  const entries = await list(join(from, path));
  const files = entries.filter((entry) => entry.isFile() && isObject(`${path}/${entry.name}`));
  const target = join(unit, path);
  if (files.length > 0 && makeFolder(to, target)) {
    const there = new Set(namesIn(join(to, target)));
    // A pack's index last: once it exists, git considers the pack complete.
    const inOrder = files.toSorted(
      (a, b) => Number(a.name.endsWith('.idx')) - Number(b.name.endsWith('.idx')),
    );
    for (const { name } of inOrder)
      if (!there.has(name)) place(join(from, path, name), join(to, target, name), mayCopy);
  }
  for (const entry of entries)
    if (entry.isDirectory())
      await carryFolder(from, to, { unit, path: `${path}/${entry.name}` }, mayCopy);
}

class CannotLink extends Error {}

function place(from: string, to: string, mayCopy: boolean): void {
  try {
    linkSync(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Already there, or removed by git meanwhile.
    if (code === 'EEXIST' || code === 'ENOENT') return;
    if (code !== 'EXDEV' && code !== 'EPERM' && code !== 'EMLINK') throw error;
    if (!mayCopy) throw new CannotLink();
    // A name git uses for unfinished objects.
    const temp = join(dirname(to), `tmp_obj_${randomUUID()}`);
    copyFileSync(from, temp);
    renameSync(temp, to);
  }
}

/** Creates a folder below `root`; false if something else, such as a link, is in the way. */
function makeFolder(root: string, path: string): boolean {
  let at = root;
  for (const name of path.split('/').filter((part) => part !== '')) {
    at = join(at, name);
    if (lstatSync(at, { throwIfNoEntry: false }) === undefined) mkdirSync(at);
    else if (!isFolder(at)) return false;
  }
  return true;
}

const isFolder = (path: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** Missing or unreachable. */
const passable = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'ENAMETOOLONG', 'ELOOP', 'EIO', 'ESTALE']);

/** Empty if git's background maintenance removed the folder. */
function none(error: unknown): [] {
  const { code = '' } = error as NodeJS.ErrnoException;
  if (passable.has(code)) return [];
  throw error;
}

/** By name, packs after loose objects, so that what git packs meanwhile is found in one or the other. */
async function list(folder: string): Promise<Dirent[]> {
  if (!isFolder(folder)) return [];
  const entries = await readdir(folder, { withFileTypes: true }).catch(none);
  return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function namesIn(folder: string): string[] {
  try {
    return isFolder(folder) ? readdirSync(folder) : [];
  } catch (error) {
    return none(error);
  }
}
