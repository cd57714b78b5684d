import { readParts } from './parts.ts';
import type { Shadow } from './shadow.ts';
import { compareTrees, toStoredView } from './compare.ts';

/** git's own notes, which change when somebody only looks, or with every commit: nobody's work. */
const notes = new Set(['index', 'ORIG_HEAD', 'FETCH_HEAD', 'COMMIT_EDITMSG']);

/** Whether two git folders of snapshots differ in nothing but git's own notes. */
export async function isSameGit(
  shadow: Shadow,
  one: string | undefined,
  other: string | undefined,
): Promise<boolean> {
  if (one === other) return true;
  if (one === undefined || other === undefined) return false;
  const [was, is] = [await readParts(shadow.objects, one), await readParts(shadow.objects, other)];
  const changes = await compareTrees(shadow, toStoredView(shadow), was.files, is.files);
  return changes.every(({ path }) => notes.has(path));
}

/** Whether two snapshots of a repository differ in nothing but git's own notes. */
export async function isSameWork(
  shadow: Shadow,
  one: string | undefined,
  other: string | undefined,
): Promise<boolean> {
  if (one === other) return true;
  if (one === undefined || other === undefined) return false;
  const [was, is] = [await readParts(shadow.objects, one), await readParts(shadow.objects, other)];
  if (was.files !== is.files || was.empty.join('\0') !== is.empty.join('\0')) return false;
  if (was.pointer?.id !== is.pointer?.id) return false;
  if (!(await isSameGit(shadow, was.git, is.git))) return false;
  for (const path of new Set([...was.nested.keys(), ...is.nested.keys()]))
    if (!(await isSameWork(shadow, was.nested.get(path), is.nested.get(path)))) return false;
  return true;
}
