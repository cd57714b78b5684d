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

/** A git folder at one moment, so that what has changed since can be told. */
export interface FolderState {
  /** By path in the folder; without what is in folders of objects, links and the like excepted. */
  readonly stamps: ReadonlyMap<BytePath, string>;
  /** The text of settings files, by path in the folder. */
  readonly settings: ReadonlyMap<BytePath, Buffer>;
  /** True when more than git's own files stand in it: a folder of the project that git could take for a repository. */
  readonly isImpure: boolean;
}

export interface Entry {
  /** In the git folder. */
  readonly path: BytePath;
  readonly kind: 'file' | 'folder' | 'other';
  readonly stamp: string;
}

const toStamp = (stat: BigIntStats): string =>
  stat.isDirectory()
    ? `${stat.dev} ${stat.ino}`
    : `${stat.dev} ${stat.ino} ${stat.mode} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;

/** Changes whenever what is there does; of a folder, when it is another one. Empty for nothing. */
export function stampOf(reach: Reach, path: BytePath): string {
  const stat = lstatSync(reach.address(path), { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? '' : toStamp(stat);
}

/**
 * Everything in a git folder, folders before what is in them; git folders inside and most objects left out: they are looked at
 * on their own. A folder of objects only ever holds data, wherever git finds it.
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

/** True when there is something at the top that git does not make. */
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
