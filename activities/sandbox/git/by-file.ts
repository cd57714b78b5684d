import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { PathRefused } from '../../files/walk.ts';

/** What git checks to recognize a repository, or reads in one. */
const ofGit = new Set([
  'HEAD',
  'commondir',
  'config',
  'config.worktree',
  'hooks',
  'index',
  'info',
  'modules',
  'objects',
  'refs',
  'worktrees',
]);

/**
 * Refuses a file that would be part of something git takes for a repository: whoever writes it can make git start
 * programs. `path` is relative to `root`, links resolved. @throws PathRefused
 */
export function refuseGitFolderByFile(root: string, path: string): void {
  const names = path.split('/');
  for (const [depth, name] of names.entries()) {
    if (!ofGit.has(name)) continue;
    const folder = names.slice(0, depth).join('/');
    const has = (wanted: string): boolean =>
      wanted === name ||
      lstatSync(join(root, folder, wanted), { throwIfNoEntry: false }) !== undefined;
    if (has('HEAD') && (has('commondir') || (has('objects') && has('refs'))))
      throw new PathRefused(
        'policy',
        `${path} was not written: with it, git would take ${folder === '' ? 'the workspace' : folder} for a repository. Use the git command, as in git init --bare.`,
      );
  }
}
