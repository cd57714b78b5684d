import { execFile } from 'node:child_process';
import { existsSync, lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { toSeccompFilter } from './seccomp.ts';

/** How commands are confined on this machine. */
export type Sandbox =
  | {
      readonly kind: 'bubblewrap';
      readonly version: string;
      readonly program: string;
      readonly files: SandboxFiles;
    }
  /** The operator's choice: own process group and empty environment, nothing more. */
  | { readonly kind: 'none' }
  | { readonly kind: 'unavailable'; readonly reason: string; readonly fix: string };

/** Files every sandbox shows instead of the host's. */
export interface SandboxFiles {
  readonly passwd: string;
  readonly group: string;
  readonly hosts: string;
  readonly gitconfig: string;
  /** Shown in place of hidden files. */
  readonly empty: string;
  /** Compiled system-call filter; absent on processors without a table. */
  readonly seccomp?: string;
}

export interface SandboxView {
  /** Absolute, free of links: the only writable folder besides private ones. */
  readonly root: string;
  /** Relative to `root`. */
  readonly cwd: string;
  /** Relative to `root`; read-only where they exist. */
  readonly protectedPaths: readonly string[];
  /** Relative to `root`; shown empty where they exist. */
  readonly hiddenPaths: readonly string[];
}

const nodeFolder = '/opt/node';
const home = '/home/agent';
const privateBytes = 268_435_456;

/** All a command sees of an environment. Allow-list: nothing of the worker's own is passed on. */
export const commandEnvironment = (sandbox: Sandbox): Record<string, string> => ({
  PATH:
    sandbox.kind === 'bubblewrap'
      ? `${nodeFolder}:/usr/local/bin:/usr/bin:/bin`
      : `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
  HOME: sandbox.kind === 'bubblewrap' ? home : '/nonexistent',
  TMPDIR: '/tmp',
  LANG: 'C.UTF-8',
  TERM: 'dumb',
  NO_COLOR: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_PAGER: 'cat',
});

/** Arguments of bubblewrap up to, not including, the command. `seccompFd`: a descriptor the child gets, if there is a filter. */
export function toBubblewrapArguments(
  files: SandboxFiles,
  view: SandboxView,
  seccompFd?: number,
): string[] {
  const { root, cwd } = view;
  return [
    ...['--unshare-all', '--unshare-user', '--disable-userns', '--uid', '1000', '--gid', '1000'],
    ...[
      '--die-with-parent',
      '--new-session',
      '--cap-drop',
      'ALL',
      '--hostname',
      'sandbox',
      '--clearenv',
    ],
    ...[
      '--ro-bind',
      '/usr',
      '/usr',
      ...['bin', 'sbin', 'lib', 'lib32', 'lib64'].flatMap(showSystemFolder),
    ],
    ...['ld.so.cache', 'alternatives', 'ssl/certs', 'localtime', 'nsswitch.conf'].flatMap(
      (name) => ['--ro-bind-try', `/etc/${name}`, `/etc/${name}`],
    ),
    ...['--ro-bind', files.passwd, '/etc/passwd', '--ro-bind', files.group, '/etc/group'],
    ...[
      '--ro-bind',
      files.hosts,
      '/etc/hosts',
      '--ro-bind',
      files.gitconfig,
      '/etc/agent-gitconfig',
    ],
    ...['--ro-bind', dirname(realpathSync(process.execPath)), nodeFolder],
    ...['--proc', '/proc', '--dev', '/dev', '--size', String(privateBytes), '--tmpfs', '/tmp'],
    ...['--size', String(privateBytes), '--tmpfs', home, '--tmpfs', '/run'],
    ...['--bind', root, root, ...protect(files, view), '--chdir', join(root, cwd)],
    ...Object.entries(
      commandEnvironment({ kind: 'bubblewrap', version: '', program: '', files }),
    ).flatMap(([name, value]) => ['--setenv', name, value]),
    ...['--setenv', 'GIT_CONFIG_GLOBAL', '/etc/agent-gitconfig'],
    ...(seccompFd === undefined ? [] : ['--seccomp', String(seccompFd)]),
  ];
}

/** `/bin` and its like: links into `/usr` on merged systems, folders of their own on others. */
function showSystemFolder(name: string): string[] {
  const folder = `/${name}`;
  if (!existsSync(folder)) return [];
  return lstatSync(folder).isSymbolicLink()
    ? ['--symlink', readlinkSync(folder), folder]
    : ['--ro-bind', folder, folder];
}

/**
 * Read-only mounts over protected paths. Every folder above one is mounted onto itself first: a folder that is no mount point
 * could be renamed away, and the protected name made anew in its place.
 */
function protect(
  { empty }: SandboxFiles,
  { root, protectedPaths, hiddenPaths }: SandboxView,
): string[] {
  const pinned = new Set<string>();
  const args: string[] = [];
  const pin = (path: string): void => {
    const names = path.split('/').slice(0, -1);
    for (const [index] of names.entries()) {
      const folder = join(root, ...names.slice(0, index + 1));
      if (pinned.has(folder)) continue;
      pinned.add(folder);
      args.push('--bind', folder, folder);
    }
  };
  for (const path of protectedPaths) {
    const target = join(root, path);
    if (!isRealPath(target)) continue;
    pin(path);
    args.push('--ro-bind', target, target);
  }
  for (const path of hiddenPaths) {
    const target = join(root, path);
    if (!isRealPath(target)) continue;
    pin(path);
    args.push(
      ...(statSync(target).isDirectory()
        ? ['--tmpfs', target, '--remount-ro', target]
        : ['--ro-bind', empty, target]),
    );
  }
  return args;
}

/** There, and not through a link: bubblewrap would mount over what the link points to. */
function isRealPath(path: string): boolean {
  try {
    return realpathSync(path) === path;
  } catch {
    return false;
  }
}

/** Writes the files a sandbox shows into `folder`. */
async function writeSandboxFiles(folder: string): Promise<SandboxFiles> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const write = async (name: string, content: string | Buffer): Promise<string> => {
    const file = join(folder, name);
    await writeFile(file, content, { mode: 0o600 });
    return file;
  };
  const filter = toSeccompFilter(process.arch);
  return {
    passwd: await write(
      'passwd',
      `agent:x:1000:1000:agent:${home}:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n`,
    ),
    group: await write('group', 'agent:x:1000:\nnogroup:x:65534:\n'),
    // Without localhost in it some test runners fail to resolve their own address.
    hosts: await write('hosts', '127.0.0.1 localhost sandbox\n::1 localhost\n'),
    empty: await write('empty', ''),
    gitconfig: await write(
      'gitconfig',
      '[user]\n\tname = dev-agent\n\temail = dev-agent@localhost\n[safe]\n\tdirectory = *\n[core]\n\thooksPath = /dev/null\n\tfsmonitor = false\n',
    ),
    ...(filter === undefined ? {} : { seccomp: await write('seccomp.bpf', filter) }),
  };
}

const run = promisify(execFile);
const program = '/usr/bin/bwrap';
const fix =
  'Install bubblewrap (apt-get install bubblewrap) and allow user namespaces, or set AGENT_SANDBOX=none to run commands unconfined.';

const unavailable = (reason: string): Sandbox => ({ kind: 'unavailable', reason, fix });

/**
 * Finds out, by really running one, whether sandboxes work here. `choice` is the operator's AGENT_SANDBOX;
 * `folder` keeps the files sandboxes show.
 */
export async function probeSandbox(choice: 'auto' | 'none', folder: string): Promise<Sandbox> {
  if (choice === 'none') return { kind: 'none' };
  if (process.platform !== 'linux')
    return unavailable(`There is no sandbox for ${process.platform} yet.`);
  if (!existsSync(program)) return unavailable(`bubblewrap is not installed (${program}).`);
  const files = await writeSandboxFiles(folder);
  try {
    const { stdout } = await run(program, ['--version'], { env: {} });
    await checkConfinement(files);
    return {
      kind: 'bubblewrap',
      version: stdout.trim().replace('bubblewrap ', ''),
      program,
      files,
    };
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    return unavailable(
      `bubblewrap does not work here: ${(stderr?.trim() || message).split('\n')[0]}`,
    );
  }
}

/** Canaries: what must fail inside fails, what must work works. Throws with the name of the one that sang. */
async function checkConfinement(files: SandboxFiles): Promise<void> {
  const view: SandboxView = {
    root: dirname(files.passwd),
    cwd: '.',
    protectedPaths: ['passwd'],
    hiddenPaths: [],
  };
  const script = [
    'test "$(env | grep -c CANARY)" = 0 || { echo "the environment is visible" >&2; exit 1; }',
    '! (echo x >> passwd) 2>/dev/null || { echo "a protected file is writable" >&2; exit 1; }',
    '! (echo x > /usr/canary) 2>/dev/null || { echo "/usr is writable" >&2; exit 1; }',
    'test ! -e /root && test ! -e /etc/shadow || { echo "the host is visible" >&2; exit 1; }',
    'test "$(wc -l < /proc/net/dev)" -le 3 || { echo "the network is visible" >&2; exit 1; }',
    'test -w . || { echo "the workspace is not writable" >&2; exit 1; }',
  ].join('\n');
  await run(program, [...toBubblewrapArguments(files, view), '--', '/bin/sh', '-c', script], {
    env: { CANARY: '1' },
    timeout: 10_000,
  });
}
