import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { toText } from '../../snapshots/byte-path.ts';
import { coverPointer, coverRepository } from './covered.ts';
import type { Covered, GitMount } from './covered.ts';
import type { Disarmed } from './disarm.ts';
import { GitCheckFailed } from './find.ts';
import { beginWork, recoverGit, self } from './recover.ts';
import { renderDisarmed, settleWorkspace } from './settle-workspace.ts';
import type { GitPlaces } from './find.ts';
import { isBelow, isInAny } from './paths.ts';
import { openReach, toBytes } from './reach.ts';
import { identifyProcess, readRecord, writeBefore, writeRecord } from './record.ts';
import type { Before } from './record.ts';
import { isNameable, openWorkspace, takeStock, toScene } from './scan.ts';
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
    const endWork = beginWork(root);
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
        if (isOpen) endWork();
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
  const before = { ...known, covered: new Set(covered.map(({ id }) => id)) };
  const lines = await settleWorkspace(workspace, { folder, places, before, own: known.own });
  return [
    ...found.map((item) => renderDisarmed(workspace.bytes, item)),
    ...lines,
    ...left.map((path) => `${path} (someone else changed it meanwhile)`),
  ];
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
