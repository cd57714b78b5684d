import { foldName, matchesGlob } from './glob.ts';
import type { Glob } from './glob.ts';
import type { Policy } from '../policy.ts';

/** Whether a rule denies what is called `name` in a folder; names below the workspace root. */
export type IsDenied = (folder: readonly string[], name: string) => boolean;

/** A pattern that looks at one name, in whatever folder it is. */
const isFloating = ({ segments }: Glob): boolean =>
  segments[0] === '**' &&
  segments[1] !== '**' &&
  (segments.length === 2 || (segments.length === 3 && segments[2] === '**'));

/**
 * The rules of one verdict alone, for whole trees: most rules look at one name only, and most names occur again and again.
 * Whatever `decidePath` denies is denied, and all that is below a denied name.
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
  // A rule over several names is looked at only where one of them occurs.
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

/** Bounded: names come from the workspace. */
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

/** The first name a pattern asks for, as a pattern of its own; undefined when any will do. */
function toStart(glob: Glob): Glob | undefined {
  const first = glob.segments.find((segment) => segment !== '**');
  return first === undefined ? undefined : { ...glob, folded: true, segments: [first] };
}

const matches = (glob: Glob, names: readonly string[]): boolean =>
  matchesGlob(glob, glob.folded ? names.map(foldName) : names);
