import { existsSync, lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** How commands are confined on this machine. */
export type Sandbox =
  | {
      readonly kind: 'bubblewrap';
      readonly version: string;
      readonly program: string;
      readonly files: SandboxFiles;
    }
  /** The operator's choice: own process group and an environment of its own, nothing more. */
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
  /** Options beyond the basic ones that this machine's bubblewrap can carry out. */
  readonly options?: readonly string[];
  /** Folder of the control group every command is put in; not the file `group`. */
  readonly controlGroup?: string;
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
  /** Absolute folders of more programs, read-only; they, or their `bin`, come last in PATH. */
  readonly toolchain?: readonly string[];
}

const nodeFolder = '/opt/node';
export const home = '/home/agent';
const privateBytes = 268_435_456;

/** What holds node, and npm where it came with it: the folder to show and the one for PATH, relative to it. */
function findNode(): { readonly folder: string; readonly bin: string } {
  const bin = dirname(realpathSync(process.execPath));
  const prefix = dirname(bin);
  return basename(bin) === 'bin' && existsSync(join(prefix, 'lib/node_modules/npm'))
    ? { folder: prefix, bin: 'bin' }
    : { folder: bin, bin: '.' };
}

const toBin = (folder: string): string =>
  existsSync(join(folder, 'bin')) ? join(folder, 'bin') : folder;

/** All a command sees of an environment. Allow-list: nothing of the worker's own is passed on. */
export function commandEnvironment(
  sandbox: Pick<Sandbox, 'kind'>,
  toolchain: readonly string[] = [],
): Record<string, string> {
  const confined = sandbox.kind === 'bubblewrap';
  const node = confined ? join(nodeFolder, findNode().bin) : dirname(process.execPath);
  return {
    PATH: [node, '/usr/local/bin', '/usr/bin', '/bin', ...toolchain.map(toBin)].join(':'),
    HOME: confined ? home : '/nonexistent',
    TMPDIR: '/tmp',
    LANG: 'C.UTF-8',
    TERM: 'dumb',
    NO_COLOR: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_PAGER: 'cat',
  };
}

/** Arguments of bubblewrap up to, not including, the command. `seccompFd`: a descriptor the child gets, if there is a filter. */
export function toBubblewrapArguments(
  files: SandboxFiles,
  view: SandboxView,
  seccompFd?: number,
): string[] {
  const { root, cwd, toolchain = [] } = view;
  return [
    ...['--unshare-all', '--unshare-user', '--uid', '1000', '--gid', '1000'],
    ...(files.options ?? []),
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
    ...['--ro-bind', findNode().folder, nodeFolder],
    ...toolchain.flatMap((folder) => ['--ro-bind-try', folder, folder]),
    ...['--proc', '/proc', '--dev', '/dev', '--size', String(privateBytes), '--tmpfs', '/tmp'],
    ...['--size', String(privateBytes), '--tmpfs', home, '--tmpfs', '/run'],
    ...['--bind', root, root, ...protect(files, view), '--chdir', join(root, cwd)],
    ...Object.entries(commandEnvironment({ kind: 'bubblewrap' }, toolchain)).flatMap(
      ([name, value]) => ['--setenv', name, value],
    ),
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
