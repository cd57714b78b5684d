import { existsSync, lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { usualLimits } from '../../policies/limits.ts';
import type { ControlGroups } from './control-groups.ts';
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
  /** Folder shown as `/etc`: users, hosts, settings of git, and copies of what programs need to start. */
  readonly etc: string;
  /** Shown in place of hidden files. */
  readonly empty: string;
  /** Folder with settings of git that are shown in place of the workspace's. */
  readonly gitSettings: string;
  /** Folder with copies of git folders for commands, and what is remembered of them. */
  readonly gitFolders: string;
  /** Compiled system-call filter; absent on processors without a table. */
  readonly seccomp?: string;
  /** Options beyond the basic ones that this machine's bubblewrap can carry out. */
  readonly options?: readonly string[];
  /** Where each command gets control groups; none where it is absent or empty. */
  readonly controlGroups?: ControlGroups;
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
  /** Relative to `root`; shown as the absolute file beside it, read-only. */
  readonly replacedFiles?: ReadonlyMap<string, string>;
  /** Relative to `root`; cannot be moved away. */
  readonly pinnedFolders?: readonly string[];
  /** Shown at `target`, relative to `root`, in place of what is there, in this order. */
  readonly mounts?: readonly {
    readonly source: string;
    readonly target: string;
    readonly isWritable: boolean;
  }[];
  /** True for what only reads: the workspace cannot be changed at all. */
  readonly readOnly?: boolean;
  /** Bytes of each private folder in memory. */
  readonly tmpBytes?: number;
  /** True for a command that gets the network by way of its link. */
  readonly network?: boolean;
  /** Absolute folders of more programs, read-only; they, or their `bin`, come last in PATH. */
  readonly toolchain?: readonly string[];
}

const nodeFolder = '/opt/node';
const networkFolder = '/opt/network';
const bridge = fileURLToPath(new URL('../network/bridge.ts', import.meta.url));
export const home = '/home/agent';
/** Of folders in memory that hold next to nothing: sockets' places, semaphores. */
const smallBytes = 67_108_864;

/** What is asked for at each start and never changes while a worker runs. */
function once<T>(find: () => T): () => T {
  let found: { readonly value: T } | undefined;
  return () => (found ??= { value: find() }).value;
}

/** What holds node, and npm where it came with it: the folder to show and the one for PATH, relative to it. */
const findNode = once((): { readonly folder: string; readonly bin: string } => {
  const bin = dirname(realpathSync(process.execPath));
  const prefix = dirname(bin);
  return basename(bin) === 'bin' && existsSync(join(prefix, 'lib/node_modules/npm'))
    ? { folder: prefix, bin: 'bin' }
    : { folder: bin, bin: '.' };
});

const toBin = (folder: string): string =>
  existsSync(join(folder, 'bin')) ? join(folder, 'bin') : folder;

/** A command behind the bridge to the network; to be run in a sandbox whose view has the network. */
export const behindBridge = (argv: readonly string[]): string[] => [
  join(nodeFolder, findNode().bin, 'node'),
  join(networkFolder, 'bridge.ts'),
  ...argv,
];

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
  const { root, cwd, toolchain = [], readOnly = false, network = false } = view;
  const privateBytes = String(view.tmpBytes ?? usualLimits.tmpBytes);
  return [
    '--unshare-all',
    '--unshare-user',
    '--uid',
    '1000',
    '--gid',
    '1000',
    ...(files.options ?? []),
    '--die-with-parent',
    '--new-session',
    '--cap-drop',
    'ALL',
    '--hostname',
    'sandbox',
    '--clearenv',
    '--ro-bind',
    '/usr',
    '/usr',
    ...showSystemFolders(),
    // One mount in place of nine: mounting is most of what a sandbox costs.
    '--ro-bind',
    files.etc,
    '/etc',
    '--ro-bind-try',
    '/etc/ssl/certs',
    '/etc/ssl/certs',
    '--ro-bind',
    findNode().folder,
    nodeFolder,
    ...(network ? ['--ro-bind', bridge, join(networkFolder, 'bridge.ts')] : []),
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    '--size',
    String(smallBytes),
    '--tmpfs',
    '/dev/shm',
    '--size',
    privateBytes,
    '--tmpfs',
    '/tmp',
    '--size',
    privateBytes,
    '--tmpfs',
    home,
    '--size',
    String(smallBytes),
    '--tmpfs',
    '/run',
    // After the private folders, for they may be inside one.
    ...toolchain.flatMap((folder) => ['--ro-bind-try', folder, folder]),
    readOnly ? '--ro-bind' : '--bind',
    root,
    root,
    ...protect(files, view),
    // The user in here is the one outside: where that is root, /proc/sys is theirs to write, core_pattern and all. Read-only
    // as a whole, so that no list of dangerous files is needed; what a process opens by /proc/self/fd is another mount.
    '--remount-ro',
    '/proc',
    // Both are in memory as well, and nothing bounds how much.
    '--remount-ro',
    '/dev',
    '--remount-ro',
    '/',
    '--chdir',
    join(root, cwd),
    ...Object.entries(commandEnvironment({ kind: 'bubblewrap' }, toolchain)).flatMap(
      ([name, value]) => ['--setenv', name, value],
    ),
    '--setenv',
    'GIT_CONFIG_GLOBAL',
    '/etc/agent-gitconfig',
    ...(seccompFd === undefined ? [] : ['--seccomp', String(seccompFd)]),
  ];
}

const showSystemFolders = once(() =>
  ['bin', 'sbin', 'lib', 'lib32', 'lib64'].flatMap(showSystemFolder),
);

/** `/bin` and its like: links into `/usr` on merged systems, folders of their own on others. */
function showSystemFolder(name: string): string[] {
  const folder = `/${name}`;
  if (!existsSync(folder)) return [];
  return lstatSync(folder).isSymbolicLink()
    ? ['--symlink', readlinkSync(folder), folder]
    : ['--ro-bind', folder, folder];
}

/**
 * Read-only mounts over protected paths. Every folder above one, up to the nearest pinned one, is mounted onto itself first: a
 * folder that is no mount point could be renamed away, and the protected name made anew in its place. What is hidden stays so
 * wherever it is moved.
 */
function protect({ empty }: SandboxFiles, view: SandboxView): string[] {
  const { root, protectedPaths, hiddenPaths, pinnedFolders = [], readOnly = false } = view;
  const { mounts = [] } = view;
  const replaced = view.replacedFiles ?? new Map<string, string>();
  const args: string[] = [];
  const pinned = new Set<string>();
  const pin = (folder: string): void => {
    if (pinned.has(folder) || folder === '.') return;
    pinned.add(folder);
    const path = join(root, folder);
    args.push('--bind', path, path);
  };
  if (!readOnly) {
    for (const folder of pinnedFolders) if (isRealPath(join(root, folder))) pin(folder);
    for (const path of new Set([...protectedPaths, ...replaced.keys()])) {
      const target = join(root, path);
      if (!isRealPath(target)) continue;
      for (const folder of foldersAbove(path, pinned)) pin(folder);
      args.push('--ro-bind', target, target);
    }
    for (const { source, target, isWritable } of mounts)
      if (isRealPath(join(root, target)))
        args.push(isWritable ? '--bind' : '--ro-bind', source, join(root, target));
  }
  for (const [path, file] of replaced)
    if (isRealPath(join(root, path))) args.push('--ro-bind', file, join(root, path));
  for (const path of hiddenPaths) {
    const target = join(root, path);
    if (!isRealPath(target)) continue;
    args.push(
      ...(statSync(target).isDirectory()
        ? ['--tmpfs', target, '--remount-ro', target]
        : ['--ro-bind', empty, target]),
    );
  }
  return args;
}

/** Folders above a path that are to be pinned, outermost first. */
function foldersAbove(path: string, pinned: ReadonlySet<string>): string[] {
  const folders: string[] = [];
  for (let at = dirname(path); at !== '.' && !pinned.has(at); at = dirname(at)) folders.unshift(at);
  return folders;
}

/** There, and not through a link: bubblewrap would mount over what the link points to. */
function isRealPath(path: string): boolean {
  try {
    return realpathSync(path) === path;
  } catch {
    return false;
  }
}
