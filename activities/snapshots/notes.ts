import { readParts } from './parts.ts';
import type { Shadow } from './shadow.ts';
import { compareTrees, sameWith, toStoredView } from './compare.ts';

/** Files git itself updates on mere inspection or with each commit: nobody's work. */
const notes = new Set(['index', 'ORIG_HEAD', 'FETCH_HEAD', 'COMMIT_EDITMSG']);

/** Whether the git folders of two snapshots differ only in git's own notes. */
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

/** Whether two snapshots of a repository differ only in git's own notes. */
export const isSameWork = sameWith(isSameGit);
