import { lstatSync, readdirSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import type { BytePath } from '../../snapshots/byte-path.ts';
import { maxSettingsBytes } from './settings.ts';
import { isUsualFolder, shapeOf } from './shape.ts';
import type { GitPlaces } from './find.ts';
import { readOrdinary } from './ordinary.ts';
import { inFolder } from './paths.ts';
import { pause } from './pause.ts';
import type { Reach } from './reach.ts';

/** A git folder at one moment, for telling later what changed. */
export interface FolderState {
  /** By path in the folder; skips the content of object folders, except links and the like. */
  readonly stamps: ReadonlyMap<BytePath, string>;
  /** Text of settings files, by path in the folder. */
  readonly settings: ReadonlyMap<BytePath, Buffer>;
  /** True if it contains more than git's own files: a project folder git could take for a repository. */
  readonly isImpure: boolean;
}

export interface Entry {
  /** Relative to the git folder. */
  readonly path: BytePath;
  readonly kind: 'file' | 'folder' | 'other';
  readonly stamp: string;
}

const toStamp = (stat: BigIntStats): string =>
  stat.isDirectory()
    ? `${stat.dev} ${stat.ino}`
    : `${stat.dev} ${stat.ino} ${stat.mode} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;

/** Changes whenever a file does; for a folder, only if it is replaced. Empty if there is nothing. */
export function stampOf(reach: Reach, path: BytePath): string {
  const stat = lstatSync(reach.address(path), { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? '' : toStamp(stat);
}

/**
 * Everything in a git folder, parents first, without nested git folders and most objects, which are checked separately.
 * An object folder only ever contains data, wherever git finds it.
 */
export async function listFolder(
  reach: Reach,
  folder: BytePath,
  gitFolders: ReadonlySet<BytePath>,
): Promise<Entry[]> {
  const entries: Entry[] = [];
  const todo: BytePath[] = [''];
  for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
    const here = at === '' ? folder : folder === '' ? at : `${folder}/${at}`;
    for (const name of readdirSync(reach.address(here), 'latin1')) {
      await pause();
      const path = at === '' ? name : `${at}/${name}`;
      const whole = here === '' ? name : `${here}/${name}`;
      const stat = lstatSync(reach.address(whole), { bigint: true, throwIfNoEntry: false });
      if (stat === undefined) continue;
      const kind = stat.isDirectory() ? 'folder' : stat.isFile() ? 'file' : 'other';
      entries.push({ path, kind, stamp: toStamp(stat) });
      const isObjects = at === 'objects' && name !== 'info';
      if (kind === 'folder' && isUsualFolder(path) && !isObjects && !gitFolders.has(whole))
        todo.push(path);
    }
  }
  return entries;
}

/** True if the top level contains something git does not create. */
export const isImpure = (entries: readonly Entry[]): boolean =>
  entries.some(
    ({ path, kind }) =>
      !path.includes('/') &&
      !/\.disarmed(?:-\d+)?$/.test(path) &&
      (kind === 'folder' ? !isUsualFolder(path) : shapeOf(path) === undefined),
  );

export async function readState(
  reach: Reach,
  folder: BytePath,
  { folders, odd }: Pick<GitPlaces, 'folders' | 'odd'>,
): Promise<FolderState> {
  const entries = await listFolder(reach, folder, folders);
  const stamps = new Map(entries.map(({ path, stamp }) => [path, stamp]));
  const settings = new Map<BytePath, Buffer>();
  const start = folder === '' ? 0 : folder.length + 1;
  for (const { path, kind } of entries)
    if (kind === 'file' && shapeOf(path) === 'settings') {
      const text = readOrdinary(
        reach,
        folder === '' ? path : `${folder}/${path}`,
        maxSettingsBytes,
      );
      if (text !== undefined) settings.set(path, text);
    }
  for (const path of inFolder(odd, folder)) stamps.set(path.slice(start), stampOf(reach, path));
  const isOwn = /(?:^|\/)\.git(?:\/|$)/i.test(folder);
  return { stamps, settings, isImpure: !isOwn && isImpure(entries) };
}
