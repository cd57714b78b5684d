/** Folders that no run may work in, copy or be promoted to. */
import { realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { shippedPolicies } from './environment.ts';
import type { Settings } from './environment.ts';

/** Why a folder is off limits, as the end of a sentence; undefined if it is not. `path` is absolute. */
export type OffLimits = (path: string) => string | undefined;

type Placed = Pick<
  Settings,
  | 'folders'
  | 'configDir'
  | 'toolsDir'
  | 'policiesDir'
  | 'cacheDir'
  | 'always'
  | 'approvers'
  | 'payloadKeys'
>;

interface Kept {
  readonly what: string;
  readonly path: string;
  /** Its parents are off limits too. */
  readonly around: boolean;
}

export function createOffLimits(settings: Placed, home: string = homedir()): OffLimits {
  const { folders, configDir, toolsDir, policiesDir, cacheDir } = settings;
  const kept: readonly Kept[] = [
    { what: 'the state folder', path: folders.root, around: true },
    { what: 'the configuration folder, with the keys,', path: configDir, around: true },
    { what: 'the tools folder', path: toolsDir, around: true },
    // A fresh clone is a workspace like any other; what is in force is a copy in the state folder.
    { what: 'the policy folder', path: policiesDir, around: policiesDir !== shippedPolicies },
    { what: 'the cache folder', path: cacheDir, around: true },
    ...[settings.always, settings.approvers, settings.payloadKeys].flatMap((path) =>
      path === undefined ? [] : [{ what: 'what only you may write', path, around: true }],
    ),
  ].map((each) => ({ ...each, path: toReal(each.path) }));
  const stages = [folders.staged, folders.copies].map(toReal);
  return (given) => {
    const path = toReal(given);
    if (isWithin(toReal(home), path)) return 'it holds everything you have';
    if (stages.some((folder) => isTwoBelow(path, folder))) return undefined;
    for (const { what, path: at, around } of kept) {
      if (isWithin(path, at)) return `it lies in ${what} ${at}`;
      if (around && isWithin(at, path)) return `${what} ${at} lies in it`;
    }
    return undefined;
  };
}

const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);

/** True for a run's copy: inside the run's folder, which is directly in `folder`. */
export const isTwoBelow = (path: string, folder: string): boolean =>
  path === resolve(path) && dirname(dirname(path)) === folder && path !== folder;

/** With links resolved as far as the path exists. */
function toReal(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(toReal(parent), basename(path));
  }
}
