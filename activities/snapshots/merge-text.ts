import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GitError } from './git.ts';
import type { Shadow } from './shadow.ts';

/** Larger texts are left to people. */
const maxMergedBytes = 4 * 1024 * 1024;

interface Texts {
  readonly base: string;
  readonly ours: string;
  readonly theirs: string;
}

/** Three-way merge of three blobs by lines; undefined on conflict, or if one is not text. */
export async function mergeText(shadow: Shadow, ids: Texts): Promise<string | undefined> {
  const { objects, git, repository } = shadow;
  const [base, ours, theirs] = [
    await objects.read(ids.base),
    await objects.read(ids.ours),
    await objects.read(ids.theirs),
  ];
  if ([base, ours, theirs].some((text) => text.length > maxMergedBytes || text.includes(0)))
    return undefined;
  const folder = mkdtempSync(join(repository, 'merge-'));
  try {
    writeFileSync(join(folder, 'base'), base);
    writeFileSync(join(folder, 'ours'), ours);
    writeFileSync(join(folder, 'theirs'), theirs);
    const view = { repository, index: 'none', folder };
    await git(view, ['merge-file', '--quiet', 'ours', 'base', 'theirs']);
    return objects.add('blob', readFileSync(join(folder, 'ours')));
  } catch (error) {
    // Its exit code is the number of conflicts.
    if (error instanceof GitError) return undefined;
    throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
