/** What exists in a workspace under protected names, beyond what a snapshot records. */
import { accessSync, chmodSync, constants, existsSync, lstatSync, realpathSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { readHooksFolders } from './hooks-folders.ts';
import { dependencyFolders, workspaceCoverage } from '../snapshots/coverage.ts';
import { scannerOf } from './scan.ts';
import type { Guard } from './guard.ts';
import type { Scan } from './scan.ts';

/** Recorded before a call begins, so that it survives a crash. Paths are relative to the workspace. */
export interface Sights {
  /** Read-only paths, each with the identity of what a sandbox covers; empty for a link, which it cannot cover. */
  readonly guarded: Readonly<Record<string, string>>;
  /** May be changed only with approval, and may be missing from a snapshot, so that a change could not be reverted. */
  readonly uncovered: readonly string[];
  /** Folders that could not be listed. */
  readonly closed: readonly string[];
  /** Links among both that point elsewhere inside the workspace. */
  readonly aliases: readonly { readonly target: string; readonly as: string }[];
  /** Folders git is configured to take hooks from; `.` for the root. */
  readonly hooksFolders: readonly string[];
}

/** Without snapshots, nothing is covered. */
export async function lookAtSights(
  root: string,
  guard: Guard,
  hasSnapshots: boolean,
): Promise<Sights> {
  const scan = await scannerOf(root, guard).look();
  const { guarded, watched, closed } = scan;
  return {
    guarded: Object.fromEntries(guarded.map((path) => [path, toMark(join(root, path))])),
    uncovered: watched.filter((path) => !hasSnapshots || !isSurelyCovered(root, path)),
    closed,
    ...(await toPlaces(root, scan)),
  };
}

type SightedPlaces = Pick<Sights, 'aliases' | 'hooksFolders'>;

/** What a command creates is seen when it ends, what a person creates a little later. */
const placesAgeMs = 5_000;

/** Other places where a file tool would write a protected file, or a program git starts. */
export const lookAtPlaces = async (root: string, guard: Guard): Promise<SightedPlaces> =>
  await toPlaces(root, await scannerOf(root, guard).look(placesAgeMs));

async function toPlaces(
  root: string,
  { guarded, watched, gitFolders }: Scan,
): Promise<SightedPlaces> {
  return {
    aliases: [...guarded, ...watched].flatMap((as) => {
      const target = toTarget(root, as);
      return target === undefined ? [] : [{ target, as }];
    }),
    hooksFolders: await readHooksFolders(root, gitFolders),
  };
}

/** What has appeared since and may be missing from a snapshot. */
export async function findNewSights(
  root: string,
  guard: Guard,
  before: Sights,
  hasSnapshots: boolean,
): Promise<string[]> {
  const { guarded, watched } = await lookOpened(root, guard, before.closed);
  const known = new Set([...Object.keys(before.guarded), ...before.uncovered]);
  return [
    ...guarded.filter((path) => !known.has(path)),
    ...watched.filter(
      (path) => !known.has(path) && (!hasSnapshots || !isSurelyCovered(root, path)),
    ),
  ];
}

/** Depth of nested closed folders. */
const maxRounds = 40;

/** Scans the workspace with every folder a command closed reopened for its owner: nothing can hide there. */
export async function lookOpened(
  root: string,
  guard: Guard,
  before: readonly string[],
): Promise<Scan> {
  const scanner = scannerOf(root, guard);
  const tried = new Set(before);
  let scan = await scanner.look();
  for (let round = 0; round < maxRounds; round += 1) {
    const fresh = scan.closed.filter((path) => !tried.has(path));
    if (fresh.length === 0) break;
    for (const path of fresh) open(join(root, path));
    for (const path of fresh) tried.add(path);
    scan = await scanner.look();
  }
  return scan;
}

function open(folder: string): void {
  const stat = lstatSync(folder, { throwIfNoEntry: false });
  if (stat?.isDirectory() !== true || stat.uid !== process.getuid?.()) return;
  chmodSync(folder, (stat.mode & 0o7777) | 0o700);
}

/** Identifies a file or folder independently of its name; empty if missing or a link. */
export function toMark(path: string): string {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat === undefined || stat.isSymbolicLink() ? '' : `${stat.dev} ${stat.ino}`;
}

/** A link's target, if it is elsewhere inside the workspace. */
function toTarget(root: string, path: string): string | undefined {
  const file = join(root, path);
  if (lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return undefined;
  try {
    const target = relative(root, realpathSync(file));
    const isInside = target !== '' && target !== '..' && !target.startsWith('../');
    // A link to a parent folder would make everything in it a protected file.
    return isInside && !`${path}/`.startsWith(`${target}/`) ? target : undefined;
  } catch {
    return undefined;
  }
}

/** False for anything a scan may skip: large ignored files, the unreadable, packages, caches, non-files. */
function isSurelyCovered(root: string, path: string): boolean {
  const names = path.split('/');
  if (names.some((name) => dependencyFolders.includes(name))) return false;
  const file = join(root, path);
  const stat = lstatSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return true;
  if (!stat.isSymbolicLink()) {
    if (!stat.isFile() || stat.size > workspaceCoverage.maxIgnoredBytes) return false;
    try {
      accessSync(file, constants.R_OK);
    } catch {
      return false;
    }
  }
  for (let at = dirname(path); at !== '.'; at = dirname(at))
    if (existsSync(join(root, at, 'CACHEDIR.TAG'))) return false;
  return true;
}
