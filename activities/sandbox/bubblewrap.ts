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
  /** The operator's choice: just a separate process group and environment. */
  | { readonly kind: 'none' }
  | { readonly kind: 'unavailable'; readonly reason: string; readonly fix: string };

/** Files that every sandbox shows instead of the host's. */
export interface SandboxFiles {
  /** Shown as `/etc`: users, hosts, git settings, and copies of what programs need to start. */
  readonly etc: string;
  /** Shown in place of hidden files. */
  readonly empty: string;
  /** Git settings shown in place of the workspace's. */
  readonly gitSettings: string;
  /** Copies of git folders for commands, and what is remembered of them. */
  readonly gitFolders: string;
  /** Compiled system-call filter; absent on architectures without a table. */
  readonly seccomp?: string;
  /** Further options that this machine's bubblewrap supports. */
  readonly options?: readonly string[];
  /** Where commands get control groups; absent or empty: nowhere. */
  readonly controlGroups?: ControlGroups;
}

export interface SandboxView {
  /** Absolute, free of links; the only writable folder apart from private ones. */
  readonly root: string;
  /** Relative to `root`. */
  readonly cwd: string;
  /** Relative to `root`; read-only if they exist. */
  readonly protectedPaths: readonly string[];
  /** Relative to `root`; shown empty if they exist. */
  readonly hiddenPaths: readonly string[];
  /** Relative to `root`; each shown as the given absolute file, read-only. */
  readonly replacedFiles?: ReadonlyMap<string, string>;
  /** Relative to `root`; cannot be moved away. */
  readonly pinnedFolders?: readonly string[];
  /** Shown at `target`, relative to `root`, covering what is there; in this order. */
  readonly mounts?: readonly {
    readonly source: string;
    readonly target: string;
    readonly isWritable: boolean;
  }[];
  /** Makes the whole workspace read-only. */
  readonly readOnly?: boolean;
  /** Size in bytes of each private in-memory folder. */
  readonly tmpBytes?: number;
  /** The command gets the network through its link. */
  readonly network?: boolean;
  /** Absolute folders of additional programs, read-only; they, or their `bin`, come last in PATH. */
  readonly toolchain?: readonly string[];
}

const nodeFolder = '/opt/node';
const networkFolder = '/opt/network';
const bridge = fileURLToPath(new URL('../network/bridge.ts', import.meta.url));
export const home = '/home/agent';
/** For in-memory folders that hold almost nothing: sockets, semaphores. */
const smallBytes = 67_108_864;

/** Caches what each start needs and never changes while a worker runs. */
function once<T>(find: () => T): () => T {
  let found: { readonly value: T } | undefined;
  return () => (found ??= { value: find() }).value;
}

/** The folder containing node (and its npm), and the one for PATH, relative to it. */
const findNode = once((): { readonly folder: string; readonly bin: string } => {
  const bin = dirname(realpathSync(process.execPath));
  const prefix = dirname(bin);
  return basename(bin) === 'bin' && existsSync(join(prefix, 'lib/node_modules/npm'))
    ? { folder: prefix, bin: 'bin' }
    : { folder: bin, bin: '.' };
});

const toBin = (folder: string): string =>
  existsSync(join(folder, 'bin')) ? join(folder, 'bin') : folder;

/** Runs a command behind the network bridge, in a sandbox whose view has the network. */
export const behindBridge = (argv: readonly string[]): string[] => [
  join(nodeFolder, findNode().bin, 'node'),
  join(networkFolder, 'bridge.ts'),
  ...argv,
];

/** A command's whole environment. Allow-list: nothing of the worker's is passed on. */
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

/**
 * bubblewrap's arguments, up to but not including the command. `seccompFd`: the descriptor the child gets, if there is
 * a filter.
 */
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
    // One mount instead of nine: mounting is most of a sandbox's cost.
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
    // After the private folders, because it may be inside one.
    ...toolchain.flatMap((folder) => ['--ro-bind-try', folder, folder]),
    readOnly ? '--ro-bind' : '--bind',
    root,
    root,
    ...protect(files, view),
    // The user inside is the one outside; if that is root, it could write /proc/sys, core_pattern included. Read-only
    // as a whole, so no list of dangerous files is needed; what a process opens through /proc/self/fd is another mount.
    '--remount-ro',
    '/proc',
    // Both are in memory too, without a size limit.
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

/** `/bin` etc.: links into `/usr` on merged systems, folders on others. */
function showSystemFolder(name: string): string[] {
  const folder = `/${name}`;
  if (!existsSync(folder)) return [];
  return lstatSync(folder).isSymbolicLink()
    ? ['--symlink', readlinkSync(folder), folder]
    : ['--ro-bind', folder, folder];
}

/**
 * Read-only mounts over protected paths. First every parent folder, up to the nearest pinned one, is mounted onto
 * itself: otherwise it could be renamed away and the protected name created anew. Hidden files stay hidden wherever
 * they are moved.
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

/** Parent folders of a path that must be pinned, outermost first. */
function foldersAbove(path: string, pinned: ReadonlySet<string>): string[] {
  const folders: string[] = [];
  for (let at = dirname(path); at !== '.' && !pinned.has(at); at = dirname(at)) folders.unshift(at);
  return folders;
}

/** Exists, and not through a link: bubblewrap would mount over the link's target. */
function isRealPath(path: string): boolean {
  try {
    return realpathSync(path) === path;
  } catch {
    return false;
  }
}
