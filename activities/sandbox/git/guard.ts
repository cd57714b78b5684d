import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { toText } from '../../snapshots/byte-path.ts';
import { coverPointer, coverRepository } from './covered.ts';
import type { Covered, GitMount } from './covered.ts';
import { disarmFolder, disarmObjects, disarmPointer } from './disarm.ts';
import type { Disarmed } from './disarm.ts';
import { GitCheckFailed } from './find.ts';
import type { GitPlaces } from './find.ts';
import { restoreIncluded } from './included.ts';
import { deepestFirst, fromFolder, isBelow, isInAny } from './paths.ts';
import { pause } from './pause.ts';
import { removeTemporaries } from './take-over.ts';
import { openReach, toBytes } from './reach.ts';
import {
  identifyProcess,
  isAlive,
  readBefore,
  readRecord,
  removeBefore,
  writeBefore,
  writeRecord,
} from './record.ts';
import type { Before } from './record.ts';
import { isBulk, isNameable, openWorkspace, readPointerState, takeStock, toScene } from './scan.ts';
import type { FolderState } from './state.ts';
import type { Known, Workspace } from './scan.ts';

/** What a sandbox does with git's own files. Paths are relative to the workspace. */
export interface GitCover {
  readonly mounts: readonly GitMount[];
  /** Hidden entirely, because their content cannot be checked. */
  readonly hidden: readonly string[];
  readonly readOnly: readonly string[];
  /** May not be moved while several processes run. */
  readonly pinned: readonly string[];
}

/** Stops a command from leaving anything in a git folder that would make git start a program or go elsewhere. */
export interface GitGuard {
  /** For the next processes: repositories may have been moved since the last. */
  cover(): Promise<GitCover>;
  /**
   * Call once the command's processes are gone. Returns what was not kept, as lines for the model. @throws
   * GitCheckFailed if what the command left is unknown.
   */
  settle(): Promise<string[]>;
  /** Releases everything; after `settle`, or instead if the command never started. */
  close(): void;
}

export interface GuardOptions {
  /** Absolute, free of links. */
  readonly root: string;
  /** Our folder for copies and records. */
  readonly folder: string;
  /** False if mounts are unavailable: commands then write to the originals. */
  readonly canMount: boolean;
}

/** Beyond this they are shown read-only, because each costs mounts for every process. */
const maxCovered = 200;
const self = identifyProcess(process.pid) ?? String(process.pid);
/** Number of this process's active guards per workspace. */
const atWork = new Map<string, number>();

const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

const toCheckFailed = (error: unknown): GitCheckFailed =>
  error instanceof GitCheckFailed
    ? error
    : new GitCheckFailed(`The git folders cannot be checked: ${reasonOf(error)}`);

/** @throws GitCheckFailed if the workspace's git folders cannot be scanned. */
export async function openGitGuard({ root, folder, canMount }: GuardOptions): Promise<GitGuard> {
  // Anything left unjudged now would count as the person's.
  const recovered = await recoverGit({ root, folder }).catch((error: unknown) => {
    throw toCheckFailed(error);
  });
  const workspace = openWorkspace(root, openReach(root));
  const copies = join(folder, 'copies', `${process.pid}-${randomUUID()}`);
  const covered: Covered[] = [];
  const letGo = (): void => {
    for (const item of covered.splice(0)) item.close();
    workspace.reach.close();
    removeAll(copies);
  };
  try {
    clearLeftOver(join(folder, 'copies'));
    const made = new Set(readRecord(folder, root)?.made);
    let places: GitPlaces | undefined = await workspace.find('name');
    const known = await takeStock(workspace, places, made);
    if (canMount) await coverOwn(workspace, known, covered, copies);
    writeBefore(folder, root, toBefore(known, covered));
    writeRecord(folder, root, { own: [...known.own], made: [...made], busy: self });
    atWork.set(root, (atWork.get(root) ?? 0) + 1);
    let isOpen = true;
    return {
      async cover() {
        const cover = toCover(workspace, covered, known, places ?? (await workspace.find('name')));
        places = undefined;
        return canMount ? cover : { ...cover, readOnly: [] };
      },
      async settle() {
        try {
          return [...recovered, ...(await settle(workspace, covered, known, folder))];
        } catch (error) {
          throw toCheckFailed(error);
        }
      },
      close() {
        if (isOpen) letGo();
        if (isOpen) atWork.set(root, (atWork.get(root) ?? 1) - 1);
        isOpen = false;
      },
    };
  } catch (error) {
    letGo();
    throw toCheckFailed(error);
  }
}

/** Of what commands get as a copy, they can write only to the objects. */
function toBefore({ states, own, pointers, included }: Known, covered: readonly Covered[]): Before {
  const ids = new Set(covered.map(({ id }) => id));
  const kept = [...states].flatMap(([id, state]): [string, FolderState][] => {
    if (!own.has(id)) return [];
    if (!ids.has(id)) return [[id, state]];
    const stamps = [...state.stamps].filter(([path]) => path.startsWith('objects/'));
    return [[id, { ...state, stamps: new Map(stamps), settings: new Map() }]];
  });
  return { states: new Map(kept), pointers, included, covered: ids };
}

/** Copies the person's own: repositories only git writes to, and pointers. */
async function coverOwn(
  workspace: Workspace,
  { repositories, pointers, own }: Known,
  covered: Covered[],
  copies: string,
): Promise<void> {
  const { reach } = workspace;
  const nextCopy = (): string => {
    mkdirSync(copies, { recursive: true, mode: 0o700 });
    return join(copies, String(covered.length));
  };
  for (const repository of repositories) {
    const { path, id, states } = repository;
    const isGitOnly = path !== '' && states.get('')?.isImpure === false;
    if (own.has(id) && isGitOnly && isNameable(path) && covered.length < maxCovered)
      covered.push(await coverRepository(workspace, repository, nextCopy()));
  }
  for (const [id, { path }] of pointers)
    if (isNameable(path) && lstatSync(reach.address(path)).isFile())
      covered.push(coverPointer(workspace, path, id, nextCopy()));
}

function toCover(
  workspace: Workspace,
  covered: readonly Covered[],
  { own, states, included }: Known,
  places: GitPlaces,
): GitCover {
  const mounts: GitMount[] = [];
  const pinned = new Set<string>();
  const shown = covered.flatMap((item) => {
    const at = item.whereIs();
    return at === undefined ? [] : [{ item, at }];
  });
  for (const { item, at } of shown) {
    mounts.push(...item.mounts(at));
    for (let end = at.lastIndexOf('/'); end > 0; end = at.lastIndexOf('/', end - 1))
      pinned.add(at.slice(0, end));
  }
  const isShown = (path: string): boolean =>
    shown.some(({ at }) => path === toBytes(at) || isBelow(toBytes(at), path));
  // The person's own, but too many to copy.
  const rest = [...places.folders].filter((path) => {
    const id = workspace.identify(path);
    const isGitOnly = path !== '' && isNameable(path) && states.get(id)?.isImpure === false;
    return own.has(id) && isGitOnly && !isShown(path);
  });
  const files = included.filter(
    ({ path, text }) => text !== undefined && !isInAny(places.folders, toBytes(path)),
  );
  return {
    mounts,
    hidden: places.blind.filter(isNameable).map(toText),
    readOnly: [...rest.map(toText), ...files.map(({ path }) => path)],
    pinned: [...pinned].toSorted((a, b) => a.length - b.length),
  };
}

async function settle(
  workspace: Workspace,
  covered: readonly Covered[],
  known: Known,
  folder: string,
): Promise<string[]> {
  const { root, bytes } = workspace;
  const places = await workspace.find('open');
  const { gitFolders } = toScene(workspace, places);
  const found: Disarmed[] = [];
  const left: string[] = [];
  for (const item of covered) {
    const at = item.whereIs();
    if (at === undefined) continue;
    const taken = await item.takeOver(at, gitFolders);
    found.push(...taken.disarmed);
    left.push(...taken.left);
  }
  const ids = new Set(covered.map(({ id }) => id));
  found.push(...(await disarmWorkspace(workspace, places, { ...known, covered: ids })));
  const changed = restoreIncluded(root, known.included);
  const now = [...places.folders, ...places.pointers].map((path) => workspace.identify(path));
  const made = now.filter((id) => id !== '' && !known.own.has(id));
  writeRecord(folder, root, { own: [...known.own], made });
  removeBefore(folder, root);
  return [
    ...found.map((item) => renderDisarmed(bytes, item)),
    ...changed.map(renderIncluded),
    ...left.map((path) => `${path} (somebody else changed it meanwhile)`),
  ];
}

function renderDisarmed(workspace: string, { path, why }: Disarmed): string {
  const inside = isBelow(workspace, path) ? fromFolder(workspace, path) : path;
  return `${toText(inside)} (${why})`;
}

const renderIncluded = (path: string): string => `${path} (the repository’s settings include it)`;

/** Disarms what is in the workspace itself: anything new, and the writable part of covered folders. */
async function disarmWorkspace(
  workspace: Workspace,
  places: GitPlaces,
  { states, pointers, covered }: Omit<Before, 'included'>,
): Promise<Disarmed[]> {
  const scene = toScene(workspace, places);
  const found: Disarmed[] = [];
  const copied = [...places.folders]
    .map((path) => ({ path, id: workspace.identify(path) }))
    .filter(({ id }) => covered.has(id));
  for (const path of [...places.folders].toSorted(deepestFirst)) {
    await pause();
    const around = copied.find((other) => other.path === path || isBelow(other.path, path));
    if (around === undefined || isBulk(fromFolder(around.path, path))) {
      found.push(...(await disarmFolder(scene, path, states.get(workspace.identify(path)))));
      continue;
    }
    found.push(...disarmObjects(scene, path, states.get(workspace.identify(path))));
  }
  for (const path of places.pointers) {
    const around = copied.find((other) => isBelow(other.path, path));
    if (around !== undefined && !isBulk(fromFolder(around.path, path))) continue;
    const id = workspace.identify(path);
    const before = pointers.get(id);
    const now = readPointerState(workspace, path);
    const isSame =
      before?.target === now.target && (covered.has(id) || before?.stamp === now.stamp);
    if (before === undefined || !isSame) found.push(...disarmPointer(scene, path));
  }
  return found;
}

/** If so, nothing counts as having existed. */
const unknown: Before = {
  states: new Map(),
  pointers: new Map(),
  included: [],
  covered: new Set(),
};

/**
 * For a command whose end nobody saw: disarms what it left in git folders, as if it had just ended. Returns what was
 * not kept. Does nothing if there is nothing to do.
 */
export async function recoverGit({
  root,
  folder,
}: Pick<GuardOptions, 'root' | 'folder'>): Promise<string[]> {
  const record = readRecord(folder, root);
  if (record?.busy === undefined) return [];
  if (record.busy === self ? (atWork.get(root) ?? 0) > 0 : isAlive(record.busy)) return [];
  const reach = openReach(root);
  try {
    const workspace = openWorkspace(root, reach);
    const places = await workspace.find('open');
    for (const path of places.folders)
      if (isNameable(path)) removeTemporaries(join(root, toText(path)));
    const before = readBefore(folder, root) ?? unknown;
    const found = await disarmWorkspace(workspace, places, before);
    const changed = restoreIncluded(root, before.included);
    const own = new Set(record.own);
    const now = [...places.folders, ...places.pointers].map((path) => workspace.identify(path));
    const made = now.filter((id) => id !== '' && !own.has(id));
    writeRecord(folder, root, { own: record.own, made });
    removeBefore(folder, root);
    return [
      ...found.map((item) => renderDisarmed(workspace.bytes, item)),
      ...changed.map(renderIncluded),
    ];
  } finally {
    reach.close();
  }
}

/** Removes copies left by a killed worker. */
function clearLeftOver(folder: string): void {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return;
  }
  for (const name of names) {
    const pid = Number(name.split('-', 1)[0]);
    if (identifyProcess(pid) === undefined) removeAll(join(folder, name));
  }
}

function removeAll(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // Deeper than a single path can express.
    execFileSync('rm', ['-rf', '--', path]);
  }
}
