import { randomInt } from 'node:crypto';
import { chmodSync, lstatSync, renameSync, writeFileSync } from 'node:fs';
import type { BytePath } from '../../snapshots/byte-path.ts';
import { toText } from '../../snapshots/byte-path.ts';
import type { GitPlaces } from './find.ts';
import { isDotGit } from './find.ts';
import { isSoundIndex } from './index-file.ts';
import type { ObjectFormat } from './index-file.ts';
import type { Setting } from './keys.ts';
import { readOrdinary } from './ordinary.ts';
import { inFolder, isInAny, parentOf } from './paths.ts';
import { readPointer } from './pointer.ts';
import { pause } from './pause.ts';
import type { Reach } from './reach.ts';
import { leadsInside, resolvePath } from './resolve.ts';
import {
  judgeSettings,
  maxSettingsBytes,
  parseSettings,
  renderSettings,
  applySettings,
} from './settings.ts';
import { disarmedSuffix, fits, isUsualFolder, shapeOf } from './shape.ts';
import type { Shape } from './shape.ts';
import type { FolderState } from './state.ts';
import { isImpure, listFolder, stampOf } from './state.ts';

/** Where git folders are examined, and where they count as being: a private copy counts as the original. */
export interface Scene {
  readonly reach: Reach;
  readonly places: GitPlaces;
  /** Absolute path that `reach`'s root represents. */
  readonly standsFor: BytePath;
  /** Absolute path of the workspace. */
  readonly workspace: BytePath;
  /** Absolute paths of folders git reads its own data from; no worktree may be in one. */
  readonly gitFolders: ReadonlySet<BytePath>;
}

/** What was renamed away from git, for the person and the model. */
export interface Disarmed {
  /** Absolute, one character per byte. */
  readonly path: BytePath;
  readonly why: string;
}

const nameOf = (path: BytePath): string => path.slice(path.lastIndexOf('/') + 1);
const below = (folder: BytePath, path: BytePath): BytePath =>
  folder === '' ? path : path === '' ? folder : `${folder}/${path}`;

const maxNameBytes = 200;
/** A command may have taken all the low numbers. */
const maxCounted = 10;

/** Renames to something git does not recognize. Nothing is lost. */
function rename({ reach }: Scene, path: BytePath): void {
  const short = below(parentOf(path), nameOf(path).slice(0, maxNameBytes));
  for (let count = 1; ; count += 1) {
    const number = count < maxCounted ? count : randomInt(2 ** 40);
    const to = short + disarmedSuffix + (number === 1 ? '' : `-${number}`);
    if (lstatSync(reach.address(to), { throwIfNoEntry: false }) !== undefined) continue;
    inWritable(reach, path, () => renameSync(reach.address(path), reach.address(to)));
    return;
  }
}

/** A command may have made the folder unwritable to its owner. */
function inWritable(reach: Reach, path: BytePath, change: () => void): void {
  try {
    change();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
    chmodSync(reach.address(parentOf(path)), 0o700);
    change();
  }
}

const maxTextBytes = 64 * 1_048_576;
const maxIndexBytes = 512 * 1_048_576;
const outside = 'it leads out of the workspace';
const unusual = 'git makes no such file itself';

/**
 * Leaves in a git folder only what git creates itself, with settings that start no program and lead nowhere else;
 * renames the rest. Anything unchanged since `before` stays. Undefined: the folder did not exist.
 */
export async function disarmFolder(
  scene: Scene,
  folder: BytePath,
  before: FolderState | undefined,
): Promise<Disarmed[]> {
  const { reach, places } = scene;
  const found: Disarmed[] = [];
  const disarm = (path: BytePath, why: string): void => {
    rename(scene, path);
    found.push({ path: below(scene.standsFor, path), why });
  };
  const isLinked =
    /(?:^|\/)worktrees\/[^/]+$/.test(folder) && places.folders.has(parentOf(parentOf(folder)));
  const isModule = isInModules(folder, places);
  const entries = await listFolder(reach, folder, places.folders);
  const isPart =
    isLinked || isModule || isDotGit(nameOf(folder)) || isDotGit(nameOf(scene.standsFor));
  if (before === undefined && !isPart && isImpure(entries)) {
    const head = entries.find(({ path }) => path.toLowerCase() === 'head');
    if (head !== undefined)
      disarm(below(folder, head.path), 'with it, git would take the folder for a repository');
    return found;
  }
  const format = await readFormat();
  const config = before?.settings.get('config');
  const isReadAnew =
    !isLinked && config !== undefined && toFormat(await parseSettings(config)) !== format;
  for (const { path, kind, stamp } of entries) {
    await pause();
    const isSame = before?.stamps.get(path) === stamp;
    if (isSame && !(isReadAnew && shapeOf(path) === 'index')) continue;
    const whole = below(folder, path);
    const problem = await judgeEntry(path, kind, whole);
    if (problem !== undefined) disarm(whole, problem);
  }
  found.push(...disarmLinks(scene, folder, before));
  return found;

  /** The object hash this repository uses. */
  async function readFormat(): Promise<ObjectFormat> {
    const common = isLinked ? parentOf(parentOf(folder)) : folder;
    const text = readOrdinary(reach, below(common, 'config'), maxSettingsBytes);
    return toFormat(text === undefined ? undefined : await parseSettings(text));
  }

  async function judgeEntry(
    path: BytePath,
    kind: 'file' | 'folder' | 'other',
    whole: BytePath,
  ): Promise<string | undefined> {
    if (/\.disarmed(?:-\d+)?$/.test(path)) return undefined;
    if (kind === 'folder')
      return isUsualFolder(path) || before?.isImpure === true ? undefined : unusual;
    const shape = shapeOf(path);
    if (shape === undefined)
      return before?.isImpure === true && !/^(?:hooks|info)\//.test(path)
        ? undefined
        : path.startsWith('hooks/')
          ? 'git would start it'
          : unusual;
    if (kind !== 'file') return 'git keeps no links and pipes there';
    if (shape === 'settings') return await settle(path, whole);
    if (!isLinked && (shape === 'commondir' || shape === 'gitdir')) return outside;
    return judgeText(shape, path, whole);
  }

  function judgeText(shape: Shape, path: BytePath, whole: BytePath): string | undefined {
    if (shape === 'bulk') return undefined;
    if (shape === 'index') {
      const index = readOrdinary(reach, whole, maxIndexBytes);
      return index !== undefined && isSoundIndex(index, format)
        ? undefined
        : 'git would write where it says';
    }
    const text = readOrdinary(reach, whole, maxTextBytes)?.toString('latin1');
    if (text === undefined || !fits(shape, path, text))
      return shape === 'todo'
        ? 'it has steps that start programs'
        : 'git writes something else there';
    const at = below(scene.standsFor, shape === 'alternates' ? below(folder, 'objects') : folder);
    const isInside = (target: string): boolean => leadsInside(scene.workspace, at, target);
    if (shape === 'gitdir') return isInside(text.replace(/\n$/, '')) ? undefined : outside;
    if (shape === 'alternates')
      return text
        .split('\n')
        .every((line) => line === '' || (!/^["#]/.test(line) && isInside(line)))
        ? undefined
        : outside;
    return undefined;
  }

  /** A workspace folder in which git may put files: not one git reads its own data from. */
  function leadsToFiles(at: BytePath, target: BytePath): boolean {
    const path = resolvePath(at, target);
    if (path === undefined || !`${path}/`.startsWith(`${scene.workspace}/`)) return false;
    const isInGit = scene.gitFolders.has(path) || isInAny(scene.gitFolders, path);
    return !isInGit && !path.split('/').some(isDotGit);
  }

  /** Changes the file itself; returns a reason only if nothing of it can be kept. */
  async function settle(path: BytePath, whole: BytePath): Promise<string | undefined> {
    const text = readOrdinary(reach, whole, maxSettingsBytes);
    const settings = text === undefined ? undefined : await parseSettings(text);
    if (settings === undefined) return 'git cannot read it as settings';
    const old = before?.settings.get(path);
    const had = old === undefined ? [] : ((await parseSettings(old)) ?? []);
    const at = below(scene.standsFor, folder);
    const work = isDotGit(nameOf(at)) ? parentOf(at) : at;
    const { allowed, refused } = judgeSettings(had, settings, {
      // For a submodule, relative to its git folder; for a remote, to the worktree.
      isInside: (target) =>
        leadsInside(scene.workspace, at, target) && leadsInside(scene.workspace, work, target),
      isWorkTree: (target) => isModule && leadsToFiles(at, target),
    });
    if (refused.length === 0) return undefined;
    const fresh = await toFile(old, had, allowed);
    rename(scene, whole);
    inWritable(reach, whole, () =>
      writeFileSync(reach.address(whole), fresh, { flag: 'wx', mode: 0o644 }),
    );
    found.push({
      path: below(scene.standsFor, whole),
      why: `these settings are not kept: ${nameKeys(refused)}`,
    });
    return undefined;
  }
}

/**
 * Checks the part of a covered folder that commands write to directly: objects. Allows no links among them, and no
 * alternates but those that existed.
 */
export function disarmObjects(
  scene: Scene,
  folder: BytePath,
  before: FolderState | undefined,
): Disarmed[] {
  const { reach } = scene;
  const found = disarmLinks(scene, folder, before);
  for (const name of ['alternates', 'http-alternates']) {
    const path = `objects/info/${name}`;
    const whole = below(folder, path);
    const stamp = stampOf(reach, whole);
    if (stamp === '' || stamp === before?.stamps.get(path)) continue;
    rename(scene, whole);
    found.push({ path: below(scene.standsFor, whole), why: outside });
  }
  return found;
}

function disarmLinks(scene: Scene, folder: BytePath, before: FolderState | undefined): Disarmed[] {
  const { reach, places, standsFor } = scene;
  const found: Disarmed[] = [];
  const start = folder === '' ? 0 : folder.length + 1;
  for (const path of inFolder(places.odd, below(folder, 'objects'))) {
    const stamp = stampOf(reach, path);
    if (stamp === '' || stamp === before?.stamps.get(path.slice(start))) continue;
    rename(scene, path);
    found.push({ path: below(standsFor, path), why: 'git keeps no links among objects' });
  }
  return found;
}

/** Whether it is a submodule's, kept inside the surrounding repository's git folder. */
function isInModules(folder: BytePath, { folders }: GitPlaces): boolean {
  for (
    let end = folder.lastIndexOf('modules/');
    end !== -1;
    end = end === 0 ? -1 : folder.lastIndexOf('modules/', end - 1)
  )
    if (
      (end === 0 || folder[end - 1] === '/') &&
      folders.has(folder.slice(0, Math.max(end - 1, 0)))
    )
      return true;
  return false;
}

const toFormat = (settings: readonly Setting[] | undefined): ObjectFormat =>
  settings?.findLast(({ key }) => key === 'extensions.objectformat')?.value?.toLowerCase() ===
  'sha256'
    ? 'sha256'
    : 'sha1';

/** The file as it was with the allowed changes; or all of it rebuilt. */
async function toFile(
  old: Buffer | undefined,
  had: readonly Setting[],
  allowed: readonly Setting[],
): Promise<Buffer> {
  if (old === undefined) return renderSettings(allowed);
  return (await applySettings(old, had, allowed)) ?? renderSettings(allowed);
}

const maxKeys = 10;

function nameKeys(keys: readonly string[]): string {
  const named = keys.slice(0, maxKeys).map((key) => toText(key.slice(0, 100)));
  return named.join(', ') + (keys.length > maxKeys ? ` and ${keys.length - maxKeys} more` : '');
}

/** Renames a pointer that leads out of the workspace or nowhere. */
export function disarmPointer(scene: Scene, path: BytePath): Disarmed[] {
  const { reach, standsFor, workspace } = scene;
  if (lstatSync(reach.address(path), { throwIfNoEntry: false }) === undefined) return [];
  const target = readPointer(reach, path);
  const from = below(standsFor, parentOf(path));
  if (target !== undefined && leadsInside(workspace, from, target)) return [];
  rename(scene, path);
  return [{ path: below(standsFor, path), why: outside }];
}
