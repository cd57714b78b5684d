/** Which paths in a git folder are refs, and the order of writing files. */
import { join } from 'node:path';
import { isGitFolder } from './private-copy.ts';

/** Where the ref name begins in a path that packed-refs could replace. */
export function startOfRef(original: string, path: string): number | undefined {
  for (let at = path.indexOf('refs/'); at !== -1; at = path.indexOf('refs/', at + 1))
    if ((at === 0 || path[at - 1] === '/') && isGitFolder(join(original, path.slice(0, at))))
      return at;
  return undefined;
}

/** From a line of packed-refs, including a tag's peeled line. */
export const toRefName = (entry: string): string => /^\S+ ([^\n]*)/.exec(entry)?.[1] ?? '';

export const isRef = (path: string): boolean =>
  /(?:^|\/)refs\/|(?:^|\/)(?:HEAD|packed-refs)$/.test(path);

/**
 * Order of applying files: each after everything it may refer to. Nested repositories before an index mentions them,
 * linked worktrees before they are registered.
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
