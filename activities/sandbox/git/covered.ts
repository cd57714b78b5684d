import {
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { BytePath } from '../../snapshots/byte-path.ts';
import { toText } from '../../snapshots/byte-path.ts';
import { findRiskySettings } from './git-settings.ts';
import { disarmFolder } from './disarm.ts';
import { toPointerTarget } from './pointer.ts';
import type { Disarmed, Scene } from './disarm.ts';
import { createMemory, findGitPlaces } from './find.ts';
import { deepestFirst, parentOf } from './paths.ts';
import { makePrivateCopy } from './private-copy.ts';
import type { PrivateCopy } from './private-copy.ts';
import { takeOver } from './take-over.ts';
import { openReach, toBytes } from './reach.ts';
import { leadsInside } from './resolve.ts';
import { readState } from './state.ts';
import type { FolderState } from './state.ts';
import type { Repository, Workspace } from './scan.ts';

/** Shown at `target`, relative to the workspace, covering what is there. */
export interface GitMount {
  readonly source: string;
  readonly target: string;
  readonly isWritable: boolean;
}

/** A git folder or pointer replaced by a copy while commands run. */
export interface Covered {
  readonly id: string;
  /** Its place relative to the workspace, wherever it was moved; undefined if it is gone. */
  whereIs(): string | undefined;
  mounts(at: string): readonly GitMount[];
  /**
   * Applies to the original what commands changed in the copy, as far as allowed. `gitFolders`: absolute paths of all
   * git folders in the workspace.
   */
  takeOver(at: string, gitFolders: ReadonlySet<BytePath>): Promise<Taken>;
  close(): void;
}

export interface Taken {
  readonly disarmed: readonly Disarmed[];
  /** Left unchanged because someone else changed it meanwhile; relative to the workspace. */
  readonly left: readonly string[];
}

/** `O_PATH` (open(2)). */
const oPath = 0o10000000;

/** Follows a file or folder through renames. */
function follow({ root }: Workspace, path: string, flags: number) {
  const fd = openSync(join(root, path), oPath | constants.O_NOFOLLOW | flags);
  return {
    original: `/proc/self/fd/${fd}`,
    whereIs(): string | undefined {
      const now = readlinkSync(`/proc/self/fd/${fd}`);
      const isHere = now.startsWith(`${root}/`) && !now.endsWith(' (deleted)');
      return isHere ? now.slice(root.length + 1) : undefined;
    },
    close: () => closeSync(fd),
  };
}

/** Replaces a git folder, with everything in it, by a copy in `source`. */
export async function coverRepository(
  workspace: Workspace,
  { path, id, folders }: Repository,
  source: string,
): Promise<Covered> {
  const { root } = workspace;
  const place = toText(path);
  const texts = await findHidden(root, folders.map(toText));
  const original = follow(workspace, place, constants.O_DIRECTORY);
  try {
    const copy = await makePrivateCopy(original.original, source, (file) =>
      texts.get(`${place}/${file}`),
    );
    const states = await readStates(source);
    return {
      id,
      whereIs: () => original.whereIs(),
      mounts: (at) => [
        { source, target: at, isWritable: true },
        ...copy.shown.map(({ path: inner, isWritable }) => ({
          source: join(root, at, inner),
          target: `${at}/${inner}`,
          isWritable,
        })),
      ],
      async takeOver(at, gitFolders) {
        const disarmed = await disarmCopy(workspace, copy, states, { at, gitFolders });
        const left = await takeOver(copy, original.original);
        return { disarmed, left: left.map((inner) => `${at}/${inner}`) };
      },
      close: () => original.close(),
    };
  } catch (error) {
    original.close();
    throw error;
  }
}

/** What commands see instead of settings files that name programs. */
async function findHidden(root: string, folders: readonly string[]): Promise<Map<string, Buffer>> {
  const risky = await findRiskySettings(root, folders);
  return new Map(risky.map(({ file, rest }) => [file, Buffer.from(rest)]));
}

async function readStates(source: string): Promise<Map<BytePath, FolderState>> {
  const reach = openReach(source);
  try {
    const places = await findGitPlaces(reach, createMemory(), 'name');
    const folders = new Set(['', ...places.folders]);
    const states = new Map<BytePath, FolderState>();
    for (const at of folders) states.set(at, await readState(reach, at, { ...places, folders }));
    return states;
  } finally {
    reach.close();
  }
}

async function disarmCopy(
  { bytes, root }: Workspace,
  copy: PrivateCopy,
  before: ReadonlyMap<BytePath, FolderState>,
  { at, gitFolders }: { readonly at: string; readonly gitFolders: ReadonlySet<BytePath> },
): Promise<Disarmed[]> {
  const reach = openReach(copy.folder);
  try {
    const places = await findGitPlaces(reach, createMemory(), 'open');
    const standsFor = toBytes(join(root, at));
    const folders = new Set(['', ...places.folders]);
    const inCopy = [...folders].map((path) => `${standsFor}/${path}`);
    const scene: Scene = {
      reach,
      places: { ...places, folders },
      standsFor,
      workspace: bytes,
      gitFolders: new Set([...gitFolders, ...inCopy]),
    };
    const found: Disarmed[] = [];
    for (const path of [...folders].toSorted(deepestFirst))
      found.push(...(await disarmFolder(scene, path, before.get(path))));
    return found;
  } finally {
    reach.close();
  }
}

/** Overwrites in place, so that the file never lacks content: git strips the line ends used as padding. */
function overwrite(path: string, text: Buffer): void {
  const fd = openSync(path, constants.O_WRONLY);
  try {
    const { size } = fstatSync(fd);
    writeSync(fd, Buffer.concat([text, Buffer.alloc(Math.max(size - text.length, 0), '\n')]), 0);
    ftruncateSync(fd, text.length);
  } finally {
    closeSync(fd);
  }
}

/** Replaces a file that points to a git folder by a copy in `source`. */
export function coverPointer(
  workspace: Workspace,
  path: BytePath,
  id: string,
  source: string,
): Covered {
  const { root, bytes, reach } = workspace;
  copyFileSync(reach.address(path), source);
  const file = follow(workspace, toText(path), 0);
  return {
    id,
    whereIs: () => file.whereIs(),
    mounts: (at) => [{ source, target: at, isWritable: true }],
    takeOver(at) {
      const text = readFileSync(source);
      if (text.equals(readFileSync(file.original)))
        return Promise.resolve({ disarmed: [], left: [] });
      const target = toPointerTarget(text);
      const whole = toBytes(join(root, at));
      if (target !== undefined && leadsInside(bytes, parentOf(whole), target)) {
        overwrite(file.original, text);
        return Promise.resolve({ disarmed: [], left: [] });
      }
      const why = 'it would lead out of the workspace';
      return Promise.resolve({ disarmed: [{ path: whole, why }], left: [] });
    },
    close: () => file.close(),
  };
}
