import { lstatSync } from 'node:fs';
import type { BytePath } from '../../snapshots/byte-path.ts';
import { toText } from '../../snapshots/byte-path.ts';
import type { Scene } from './disarm.ts';
import { readPointer } from './pointer.ts';
import { createMemory, findGitPlaces } from './find.ts';
import type { GitPlaces, Memory } from './find.ts';
import { findIncluded } from './included.ts';
import type { Included } from './included.ts';
import { fromFolder, inFolder, parentOf } from './paths.ts';
import { pause } from './pause.ts';
import { toBytes } from './reach.ts';
import type { Reach } from './reach.ts';
import { resolvePath } from './resolve.ts';
import { readState, stampOf } from './state.ts';
import type { FolderState } from './state.ts';

/** A workspace as git sees it, and how to scan it again. */
export interface Workspace {
  /** Absolute, free of links. */
  readonly root: string;
  /** The same, one character per byte. */
  readonly bytes: BytePath;
  readonly reach: Reach;
  /** @throws GitCheckFailed */
  find(onBlind: 'open' | 'name'): Promise<GitPlaces>;
  /** Identifies a file or folder independently of its name; '' if there is none. */
  identify(path: BytePath): string;
}

const memories = new Map<string, Memory>();
const maxMemories = 8;

function memoryOf(root: string): Memory {
  const memory = memories.get(root) ?? createMemory();
  memories.delete(root);
  memories.set(root, memory);
  const [oldest] = memories.keys();
  if (memories.size > maxMemories && oldest !== undefined) memories.delete(oldest);
  return memory;
}

export const openWorkspace = (root: string, reach: Reach): Workspace => ({
  root,
  reach,
  bytes: toBytes(root),
  find: (onBlind) => findGitPlaces(reach, memoryOf(root), onBlind),
  identify(path) {
    const stat = lstatSync(reach.address(path), { bigint: true, throwIfNoEntry: false });
    return stat === undefined ? '' : `${stat.dev}:${stat.ino}`;
  },
});

export const toScene = ({ reach, bytes }: Workspace, places: GitPlaces): Scene => ({
  reach,
  places,
  standsFor: bytes,
  workspace: bytes,
  gitFolders: new Set([...places.folders].map((path) => `${bytes}/${path}`)),
});

/** What commands write to directly in a git folder they get as a copy. */
export const isBulk = (path: BytePath): boolean =>
  /(?:^|\/)(?:objects|lfs|annex)(?:\/|$)/.test(path);

export interface PointerState {
  readonly stamp: string;
  /** Absolute; undefined if git could read nothing there. */
  readonly target: BytePath | undefined;
}

export function readPointerState({ reach, bytes }: Workspace, path: BytePath): PointerState {
  const target = readPointer(reach, path);
  return {
    stamp: stampOf(reach, path),
    target: target === undefined ? undefined : resolvePath(`${bytes}/${parentOf(path)}`, target),
  };
}

/** A git folder of the workspace, and those inside it. */
export interface Repository {
  readonly path: BytePath;
  readonly id: string;
  /** Itself and those inside, relative to the workspace. */
  readonly folders: readonly BytePath[];
  /** By path in it. */
  readonly states: ReadonlyMap<BytePath, FolderState>;
}

export interface Known {
  readonly repositories: readonly Repository[];
  /** By identity. */
  readonly states: ReadonlyMap<string, FolderState>;
  readonly pointers: ReadonlyMap<string, PointerState & { readonly path: BytePath }>;
  /** What the person's repositories include. */
  readonly included: readonly Included[];
  /** Identities of what is the person's. */
  readonly own: ReadonlySet<string>;
}

/** All of git's data before a command. `made`: created by earlier commands. */
export async function takeStock(
  workspace: Workspace,
  places: GitPlaces,
  made: ReadonlySet<string>,
): Promise<Known> {
  const { reach, root } = workspace;
  const states = new Map<string, FolderState>();
  const pointers = new Map<string, PointerState & { readonly path: BytePath }>();
  const repositories: Repository[] = [];
  const included: Included[] = [];
  const own = new Set<string>();
  const sorted = [...places.folders].toSorted();
  const done = new Set<BytePath>();
  for (const path of sorted.toSorted((a, b) => a.length - b.length)) {
    if (done.has(path)) continue;
    const folders = [path, ...inFolder(sorted, path)];
    for (const at of folders) done.add(at);
    const inside = new Map<BytePath, FolderState>();
    const id = workspace.identify(path);
    for (const at of folders) {
      const state = await readState(reach, at, places);
      inside.set(fromFolder(path, at), state);
      states.set(workspace.identify(at), state);
      if (!made.has(id)) own.add(workspace.identify(at));
    }
    repositories.push({ path, id, folders, states: inside });
    if (made.has(id)) continue;
    for (const [at, { settings }] of inside)
      for (const [file, text] of settings) {
        const folder = [path, at, parentOf(file)].filter((part) => part !== '').join('/');
        included.push(...(await findIncluded(root, folder, text)));
      }
  }
  for (const path of places.pointers) {
    await pause();
    const id = workspace.identify(path);
    if (made.has(id)) continue;
    own.add(id);
    pointers.set(id, { ...readPointerState(workspace, path), path });
  }
  return { repositories, states, pointers, included, own };
}

const maxNameableBytes = 3_500;

/** Can be passed to bubblewrap and is short enough. */
export const isNameable = (path: BytePath): boolean =>
  path.length < maxNameableBytes && toBytes(toText(path)) === path;
