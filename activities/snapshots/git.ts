import type { ExecFileException } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execute } from '../sandbox/execute.ts';

/** A folder seen through an index of the shadow repository. */
export interface View {
  /** The shadow repository: bare, ours, outside every workspace. */
  readonly repository: string;
  /** Name of the index file. */
  readonly index: string;
  /** Absolute path of the folder. */
  readonly folder: string;
  /** Object folder, if not the repository's own. */
  readonly objects?: string;
}

/** A git command failed; the message is git's own. */
export class GitError extends Error {
  override readonly name = 'GitError';
}

/** Oldest git with everything used here: `merge-tree --write-tree`. */
export const oldestGit = [2, 38] as const;

/** Overrides all user and system settings; attributes, filters and hooks of the workspace do not apply. */
const settings = `[core]
	bare = true
	autocrlf = false
	safecrlf = false
	symlinks = true
	fileMode = true
	ignoreCase = false
	precomposeUnicode = false
	quotePath = false
	hooksPath = /dev/null
	fsmonitor = false
	preloadIndex = true
	untrackedCache = false
	logAllRefUpdates = false
	compression = 1
	fsync = objects
	fsyncMethod = batch
	longPaths = true
[gc]
	auto = 0
[index]
	version = 2
[feature]
	manyFiles = false
[maintenance]
	auto = false
`;

/** info/attributes overrides every .gitattributes in the workspace. */
const attributes = '* -text -filter -ident -eol -working-tree-encoding -crlf -export-subst\n';

/**
 * Creates or opens the shadow repository, unlocking indexes with this prefix that a killed git left locked. The caller
 * holds their workspace's lease, or passes no prefix.
 */
export function openRepository(repository: string, prefix: string | undefined): void {
  for (const folder of ['objects/info', 'objects/pack', 'refs/agent', 'info'])
    mkdirSync(join(repository, folder), { recursive: true, mode: 0o700 });
  for (const name of readdirSync(repository))
    if (prefix !== undefined && name.startsWith(prefix) && name.endsWith('.lock'))
      rmSync(join(repository, name), { force: true });
  // HEAD last: without it, the folder is not yet a repository.
  writeFileSync(join(repository, 'config'), settings, { mode: 0o600 });
  writeFileSync(join(repository, 'info/attributes'), attributes, { mode: 0o600 });
  if (!existsSync(join(repository, 'HEAD')))
    writeFileSync(join(repository, 'HEAD'), 'ref: refs/heads/none\n', { mode: 0o600 });
}

/** Set in the environment of every git process we start, so that a dead worker's can be found and killed. */
export const markName = 'DEV_AGENT_LEASE';

function toEnvironment(
  { repository, index, folder, objects }: View,
  mark: string,
): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    HOME: '/nonexistent',
    LC_ALL: 'C',
    GIT_DIR: repository,
    GIT_WORK_TREE: folder,
    GIT_INDEX_FILE: join(repository, index),
    GIT_OBJECT_DIRECTORY: objects,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    [markName]: mark,
  };
}

/** Runs git. Paths go in and out as bytes, hence latin1: one character per byte. @throws GitError */
export type Git = (
  view: View,
  args: readonly string[],
  options?: { readonly input?: string; readonly accept?: readonly number[] },
) => Promise<string>;

/** `mark` names the lease git runs under. Bytes in, bytes out. */
export const createGit =
  (mark: string): Git =>
  async (view, args, { input = '', accept = [0] } = {}) => {
    try {
      const { stdout } = await execute('git', args, {
        env: toEnvironment(view, mark),
        cwd: view.folder,
        encoding: 'latin1',
        input: Buffer.from(input, 'latin1'),
        maxBuffer: Number.POSITIVE_INFINITY,
      });
      return stdout;
    } catch (error) {
      const { code, message, stdout = '', stderr = '' } = error as ExecFileException;
      if (typeof code === 'string') throw new GitError(`git cannot be started: ${message}`);
      if (typeof code === 'number' && accept.includes(code)) return stdout;
      const said = Buffer.from(stderr, 'latin1').toString('utf8').trim().slice(0, 500);
      throw new GitError(`git ${args[0] ?? ''} in ${view.folder} failed (${code}): ${said}`);
    }
  };

let works: boolean | undefined;

/** Why snapshots cannot work on this machine, if so. Once git is good enough, it is not asked again. */
export async function findGitProblem(): Promise<string | undefined> {
  if (works === true) return undefined;
  const needed = oldestGit.join('.');
  try {
    const { stdout } = await execute('git', ['--version']);
    const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(stdout) ?? [];
    const [wantedMajor, wantedMinor] = oldestGit;
    const ok =
      Number(major) > wantedMajor ||
      (Number(major) === wantedMajor && Number(minor) >= wantedMinor);
    works = ok;
    return ok ? undefined : `git ${needed} or newer is needed, found ${stdout.trim()}.`;
  } catch {
    return `git is not installed; ${needed} or newer is needed (apt-get install git).`;
  }
}

/** Splits NUL-separated output. */
export const splitNul = (text: string): string[] =>
  text === '' ? [] : text.slice(0, text.endsWith('\0') ? -1 : undefined).split('\0');
