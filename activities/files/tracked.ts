/**
 * Which files are in a commit of the workspace's repository: their text belongs to the operator's project, anything
 * else does not.
 */
import { inertEnvironment } from '../sandbox/git/environment.ts';
import { execute } from '../sandbox/execute.ts';

const maxBytes = 268_435_456;

/** No setting of the repository or user may start a program, and nothing may be fetched. */
const settings = ['core.fsmonitor=false', 'core.hooksPath=/dev/null', 'safe.directory=*'];

async function askGit(root: string, args: readonly string[]): Promise<string> {
  const options = settings.flatMap((setting) => ['-c', setting]);
  const { stdout } = await execute('git', ['-C', root, ...options, ...args], {
    maxBuffer: maxBytes,
    env: {
      ...inertEnvironment(),
      GIT_OPTIONAL_LOCKS: '0',
      GIT_TERMINAL_PROMPT: '0',
      GIT_ALLOW_PROTOCOL: 'none',
      GIT_NO_LAZY_FETCH: '1',
    },
  });
  return stdout;
}

/** Id of the checked-out commit; undefined without git or commits. */
export async function readHead(root: string): Promise<string | undefined> {
  try {
    const id = (await askGit(root, ['rev-parse', '--verify', '--quiet', 'HEAD'])).trim();
    return /^[0-9a-f]{40,64}$/.test(id) ? id : undefined;
  } catch {
    return undefined; // git's exit code says no, or there is no git at all.
  }
}

const known = new Map<string, Promise<ReadonlySet<string>>>();
const maxKnown = 8;

/** Paths below `root` of a commit's files and their parent folders. Empty if git fails. */
export function listTracked(root: string, head: string): Promise<ReadonlySet<string>> {
  const key = `${root}\0${head}`;
  const found = known.get(key) ?? readTracked(root, head);
  known.delete(key);
  known.set(key, found);
  for (const oldest of known.keys()) {
    if (known.size <= maxKnown) break;
    known.delete(oldest);
  }
  return found;
}

async function readTracked(root: string, head: string): Promise<ReadonlySet<string>> {
  const paths = new Set<string>(['.']);
  try {
    // Submodules are listed as themselves: what is in them is not in this commit.
    const listed = await askGit(root, ['ls-tree', '-r', '-z', head]);
    for (const entry of listed.split('\0')) {
      const [mode, path] = [entry.slice(0, 6), entry.slice(entry.indexOf('\t') + 1)];
      if (entry === '' || mode === '160000') continue;
      for (let at = path; at !== '.' && !paths.has(at); at = parentOf(at)) paths.add(at);
    }
  } catch {
    // Then nothing counts as tracked.
  }
  return paths;
}

const parentOf = (path: string): string => path.slice(0, Math.max(path.lastIndexOf('/'), 0)) || '.';
