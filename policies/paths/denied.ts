import { foldName, matchesGlob } from './glob.ts';
import type { Glob } from './glob.ts';
import type { Policy } from '../policy.ts';

/** Whether a rule denies `name` in a folder; names are below the workspace root. */
export type IsDenied = (folder: readonly string[], name: string) => boolean;

/** The pattern matches a single name, in any folder. */
const isFloating = ({ segments }: Glob): boolean =>
  segments[0] === '**' &&
  segments[1] !== '**' &&
  (segments.length === 2 || (segments.length === 3 && segments[2] === '**'));

/**
 * A fast `decidePath` for whole trees, for `deny` alone: most rules look at one name, and most names repeat. A denied
 * name also denies everything below it.
 */
export function createDenial(
  { paths }: Policy,
  operation: 'read' | 'write' | 'delete',
  verdict: 'deny' | 'ask' = 'deny',
): IsDenied {
  const globs = paths[operation]
    .filter((rule) => rule.verdict === verdict)
    .flatMap((rule) => rule.globs);
  const floating = globs.filter(isFloating);
  const rest = globs.filter((glob) => !isFloating(glob));
  const denied = remember((name) => floating.some((glob) => matches(glob, [name])));
  // Try a rule over several names only where its first name occurs.
  const starts = rest.map(toStart);
  const isStart = remember((name) =>
    starts.some((start) => start === undefined || matchesGlob(start, [foldName(name)])),
  );
  const isAlways = starts.includes(undefined);
  return (folder, name) => {
    if (denied(name) || folder.some(denied)) return true;
    if (!isAlways && !isStart(name) && !folder.some(isStart)) return false;
    const names = [...folder, name];
    const folded = names.map(foldName);
    return rest.some((glob) => matchesGlob(glob, glob.folded ? folded : names));
  };
}

/** Bounded, because the names come from the workspace. */
const maxNames = 50_000;

function remember(decide: (name: string) => boolean): (name: string) => boolean {
  const known = new Map<string, boolean>();
  return (name) => {
    const found = known.get(name) ?? decide(name);
    if (known.size >= maxNames) known.clear();
    known.set(name, found);
    return found;
  };
}

/** The first name a pattern requires, as its own pattern; undefined if any name will do. */
function toStart(glob: Glob): Glob | undefined {
  const first = glob.segments.find((segment) => segment !== '**');
  return first === undefined ? undefined : { ...glob, folded: true, segments: [first] };
}

const matches = (glob: Glob, names: readonly string[]): boolean =>
  matchesGlob(glob, glob.folded ? names.map(foldName) : names);
