import { foldName, matchesGlob } from './glob.ts';
import type { Glob } from './glob.ts';
import type { Policy } from './schema.ts';

/** Whether a rule denies what is called `name` in a folder; names below the workspace root. */
export type IsDenied = (folder: readonly string[], name: string) => boolean;

/** A pattern that looks at one name, in whatever folder it is. */
const isFloating = ({ segments }: Glob): boolean =>
  segments[0] === '**' &&
  segments[1] !== '**' &&
  (segments.length === 2 || (segments.length === 3 && segments[2] === '**'));

/**
 * The deny rules alone, for whole trees: most rules look at one name only, and most names occur again and again. Whatever
 * `decidePath` denies is denied, and all that is below a denied name.
 */
export function createDenial({ paths }: Policy, operation: 'read' | 'write'): IsDenied {
  const globs = paths[operation]
    .filter(({ verdict }) => verdict === 'deny')
    .flatMap((rule) => rule.globs);
  const floating = globs.filter(isFloating);
  const rest = globs.filter((glob) => !isFloating(glob));
  const known = new Map<string, boolean>();
  const isNameDenied = (name: string): boolean => {
    const found = known.get(name) ?? floating.some((glob) => matches(glob, [name]));
    known.set(name, found);
    return found;
  };
  return (folder, name) => {
    if (isNameDenied(name) || folder.some(isNameDenied)) return true;
    const names = [...folder, name];
    const folded = names.map(foldName);
    return rest.some((glob) => matchesGlob(glob, glob.folded ? folded : names));
  };
}

const matches = (glob: Glob, names: readonly string[]): boolean =>
  matchesGlob(glob, glob.folded ? names.map(foldName) : names);
