import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(fileURLToPath(new URL('../package.json', import.meta.url)));

/** Version of dev-agent from package.json. */
export const readVersion = (): string => {
  const text = readFileSync(join(root, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
};

/** Commit of this code's checkout; undefined for an installed package. */
export function readCommit(checkout: string = root): string | undefined {
  const dotGit = join(checkout, '.git');
  // In a worktree, .git is a file naming the folder; refs are in the folder all worktrees share.
  const link = /^gitdir: (.+)$/m.exec(readIfAny(dotGit))?.[1];
  const gitDir = link === undefined ? dotGit : resolve(checkout, link);
  const shared = resolve(gitDir, readIfAny(join(gitDir, 'commondir')).trim());
  const head = readIfAny(join(gitDir, 'HEAD')).trim();
  const ref = /^ref: (.+)$/.exec(head)?.[1];
  const commit =
    ref === undefined
      ? head
      : readIfAny(join(shared, ref)).trim() ||
        findPacked(readIfAny(join(shared, 'packed-refs')), ref);
  return commit === '' ? undefined : commit;
}

const findPacked = (refs: string, ref: string): string =>
  refs
    .split('\n')
    .find((line) => line.endsWith(` ${ref}`))
    ?.split(' ')[0] ?? '';

function readIfAny(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
