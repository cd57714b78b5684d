import { readParts } from './parts.ts';
import type { Parts } from './parts.ts';
import { toView } from './shadow.ts';
import type { Shadow } from './shadow.ts';
import type { View } from './git.ts';
import { splitNul } from './git.ts';
import type { BytePath } from './byte-path.ts';
import { joinPath } from './byte-path.ts';

export interface Change {
  readonly kind: 'added' | 'changed' | 'deleted';
  readonly path: BytePath;
}

const kinds: Readonly<Record<string, Change['kind']>> = { A: 'added', D: 'deleted' };

/** What happened to each file between two trees. */
export async function compareTrees(
  { git }: Shadow,
  view: View,
  before: string,
  after: string,
): Promise<Change[]> {
  if (before === after) return [];
  const args = ['diff-tree', '-r', '-z', '--name-status', '--no-renames', before, after];
  const words = splitNul(await git(view, args));
  return words.flatMap((word, index) =>
    index % 2 === 0 ? [{ kind: kinds[word] ?? 'changed', path: words[index + 1] ?? '' }] : [],
  );
}

/** A view for comparing stored trees without the workspace, which may be gone. */
export const toStoredView = (shadow: Shadow): View => ({
  ...toView(shadow, '', 'files'),
  folder: shadow.repository,
});

type IsSame = (
  shadow: Shadow,
  one: string | undefined,
  other: string | undefined,
) => Promise<boolean>;

/** Whether two snapshots are equal apart from uncovered paths; `isSameGit` compares their git folders. */
export const sameWith = (isSameGit: IsSame): IsSame =>
  async function isSame(shadow, one, other) {
    if (one === other) return true;
    if (one === undefined || other === undefined) return false;
    const [a, b] = [await readParts(shadow.objects, one), await readParts(shadow.objects, other)];
    if (a.files !== b.files || a.empty.join('\0') !== b.empty.join('\0')) return false;
    if (a.pointer?.id !== b.pointer?.id || a.nested.size !== b.nested.size) return false;
    if (!(await isSameGit(shadow, a.git, b.git))) return false;
    for (const [path, tree] of a.nested)
      if (!(await isSame(shadow, tree, b.nested.get(path)))) return false;
    return true;
  };

/** Whether two snapshots are equal apart from uncovered paths. */
export const isSameBut: IsSame = sameWith((shadow, one, other) => isSameBut(shadow, one, other));

export interface Difference {
  /** Relative to the workspace; a whole repository by its folder. */
  readonly path: BytePath;
  /** Only in the second snapshot. */
  readonly isExtra: boolean;
}

/** Paths in which two snapshots differ, including git folders and empty folders. */
export async function findDifferences(
  shadow: Shadow,
  one: string | undefined,
  other: string | undefined,
  at: BytePath = '',
): Promise<Difference[]> {
  if (one === other) return [];
  if (one === undefined || other === undefined) return [{ path: at, isExtra: one === undefined }];
  const [a, b] = [await readParts(shadow.objects, one), await readParts(shadow.objects, other)];
  const changes = await compareTrees(shadow, toStoredView(shadow), a.files, b.files);
  const found = changes.map(({ path, kind }) => ({ path, isExtra: kind === 'added' }));
  for (const path of a.empty) if (!b.empty.includes(path)) found.push({ path, isExtra: false });
  for (const path of b.empty) if (!a.empty.includes(path)) found.push({ path, isExtra: true });
  if (a.pointer?.id !== b.pointer?.id)
    found.push({ path: '.git', isExtra: a.pointer === undefined });
  const all = found.map(({ path, isExtra }) => ({ path: joinPath(at, path), isExtra }));
  all.push(...(await findDifferences(shadow, a.git, b.git, joinPath(at, '.git'))));
  for (const path of namesOf(a, b)) {
    const [from, to] = [a.nested.get(path), b.nested.get(path)];
    all.push(...(await findDifferences(shadow, from, to, joinPath(at, path))));
  }
  return all;
}

const namesOf = (a: Parts, b: Parts): Set<BytePath> =>
  new Set([...a.nested.keys(), ...b.nested.keys()]);
