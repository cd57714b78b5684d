/** Paths in a git folder that are refs, and the order in which they may come. */
import { join } from 'node:path';
import { isGitFolder } from './private-copy.ts';

/** Where the name of a ref begins in the path of a file that a packed-refs can stand in for. */
export function startOfRef(original: string, path: string): number | undefined {
  for (let at = path.indexOf('refs/'); at !== -1; at = path.indexOf('refs/', at + 1))
    if ((at === 0 || path[at - 1] === '/') && isGitFolder(join(original, path.slice(0, at))))
      return at;
  return undefined;
}

/** Of a line of packed-refs and, for a tag, the one below it. */
export const toRefName = (entry: string): string => /^\S+ ([^\n]*)/.exec(entry)?.[1] ?? '';

export const isRef = (path: string): boolean =>
  /(?:^|\/)refs\/|(?:^|\/)(?:HEAD|packed-refs)$/.test(path);

/**
 * Where a file stands when changes are applied, and before that all it may refer to. Repositories inside are whole before
 * an index tells of them, and linked work trees before they are said to be some.
 */
const order: readonly (readonly [RegExp, number])[] = [
  [/(?:^|\/)logs\//, 2],
  [/(?:^|\/)(?:refs\/|reftable\/tables\.list$)/, 1],
  [/(?:^|\/)packed-refs$/, 3],
  [/^index$/, 7],
  [/^HEAD$/, 8],
  [/\/index$/, 4],
  [/\/HEAD$/, 5],
  [/\/gitdir$/, 6],
];

function toOrder(path: string): readonly number[] {
  const place = order.find(([pattern]) => pattern.test(path))?.[1] ?? 0;
  const isInside = place >= 4 && place <= 6;
  return isInside ? [4, -path.split('/').length, place] : [place, 0, 0];
}

export function inOrder(a: string, b: string): number {
  const [one, other] = [toOrder(a), toOrder(b)];
  const at = one.findIndex((place, index) => place !== other[index]);
  return at === -1 ? 0 : (one[at] ?? 0) - (other[at] ?? 0);
}
