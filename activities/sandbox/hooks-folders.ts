import { lstatSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { execute } from './execute.ts';

const timeoutMs = 5_000;
const maxRepositories = 20;
/** How long git's answer stays valid while the repository's settings are unchanged: the user's may change. */
const freshMs = 30_000;

interface Known {
  readonly stamp: string;
  readonly at: number;
  readonly folder: string | undefined;
}

const known = new Map<string, Known>();
const maxKnown = 200;

/**
 * Folders inside the workspace (relative; `.` for the root) from which git takes hooks because of `core.hooksPath`. git
 * itself reads the settings, as the operator's git would; that starts nothing.
 */
export async function readHooksFolders(
  root: string,
  gitFolders: readonly string[],
): Promise<string[]> {
  const repositories = gitFolders
    .filter((folder) => folder === '.git' || folder.endsWith('/.git'))
    .slice(0, maxRepositories);
  const folders = await Promise.all(repositories.map((folder) => readOne(root, folder)));
  return [...new Set(folders.flatMap((folder) => folder ?? []))];
}

async function readOne(root: string, gitFolder: string): Promise<string | undefined> {
  const key = join(root, gitFolder);
  const stamp = ['config', 'config.worktree'].map((name) => stampOf(join(key, name))).join(' ');
  const before = known.get(key);
  if (before?.stamp === stamp && performance.now() - before.at < freshMs) return before.folder;
  const folder = await ask(root, dirname(gitFolder));
  if (known.size >= maxKnown) known.clear();
  known.set(key, { stamp, at: performance.now(), folder });
  return folder;
}

function stampOf(file: string): string {
  const stat = lstatSync(file, { throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.ino}:${stat.size}:${stat.ctimeMs}`;
}

/** If git cannot read its settings, it runs no hooks either. */
async function ask(root: string, repository: string): Promise<string | undefined> {
  const cwd = join(root, repository);
  try {
    const args = ['config', '--type=path', '--get', 'core.hooksPath'];
    const { stdout } = await execute('git', args, { cwd, timeout: timeoutMs });
    const named = stdout.replace(/\n$/, '');
    if (named === '') return undefined;
    const path = isAbsolute(named) ? named : resolve(cwd, named);
    return toInside(root, path);
  } catch {
    return undefined;
  }
}

function toInside(root: string, path: string): string | undefined {
  const inside = relative(root, toReal(path));
  if (inside === '') return '.';
  const isGits = inside.split('/').includes('.git');
  return inside === '..' || inside.startsWith('../') || isGits ? undefined : inside;
}

/** Links resolved as far as the path exists. */
function toReal(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const above = dirname(path);
    return above === path ? path : join(toReal(above), path.slice(above.length + 1));
  }
}
