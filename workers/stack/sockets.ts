/** The folder of sockets to Temporal and its Web UI, which only this user can enter. */
import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, isAbsolute, join } from 'node:path';

/** `temporal` and `web` belong to the bridge, `ui` to the supervisor. */
export const socketNames = { temporal: 'temporal.sock', web: 'web.sock', ui: 'ui.sock' } as const;
const names = Object.values(socketNames);

/** The longest socket path is 107 bytes on Linux and 103 on macOS. */
const maxSocketBytes = 103;

const fits = (folder: string): boolean =>
  Buffer.byteLength(join(folder, socketNames.temporal)) <= maxSocketBytes;

const isOurs = (folder: string): boolean => {
  const found = lstatSync(folder, { throwIfNoEntry: false });
  return (
    found !== undefined &&
    found.isDirectory() &&
    found.uid === process.getuid?.() &&
    (found.mode & 0o077) === 0
  );
};

/** Creates a folder only this user can enter; false if the name is taken by something else. */
const claim = (folder: string): boolean => {
  try {
    mkdirSync(folder, { mode: 0o700 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return isOurs(folder);
  }
};

/** An unpredictable name. */
const toTemporary = (parent: string): string =>
  join(parent, `dev-agent-${randomBytes(8).toString('hex')}`);

/** Where such a folder can be, best first: no cleaner removes anything in the runtime folder before the last logout. */
const findParents = (runtimeDir: string): string[] => [
  ...(isAbsolute(runtimeDir) && isOurs(runtimeDir) ? [runtimeDir] : []),
  tmpdir(),
  '/tmp',
];

/**
 * The stack's socket folder: in its state folder or, if that makes the path too long, a temporary one. `kept` is the
 * previous one. @throws if none can be created.
 */
export function prepareSocketFolder(
  root: string,
  kept?: string,
  { XDG_RUNTIME_DIR: runtimeDir = '' }: NodeJS.ProcessEnv = process.env,
): string {
  const inState = join(root, 'sockets');
  if (fits(inState)) {
    if (claim(inState)) return inState;
    // Ours, but damaged: nobody else can have made it in a private folder.
    rmSync(inState, { recursive: true, force: true });
    if (claim(inState)) return inState;
  }
  const parents = findParents(runtimeDir).filter((parent) => fits(toTemporary(parent)));
  const isOneOfThese = (folder: string): boolean =>
    parents.includes(dirname(folder)) && basename(folder).startsWith('dev-agent-');
  // Clients of a restarted stack look where it was.
  if (kept !== undefined && isOneOfThese(kept) && claim(kept)) return kept;
  const [parent = '/tmp'] = parents;
  for (;;) {
    const folder = toTemporary(parent);
    if (claim(folder)) return folder;
  }
}

/** Watches a socket folder that others may clean up. */
export interface SocketWatch {
  /** Whether the folder, or a socket in it, is gone. */
  isDamaged(): boolean;
  /** Renews all timestamps: cleaners go by age and cannot see a socket's use from another network. */
  touch(): void;
}

export function watchSockets(folder: string): SocketWatch {
  const seen = new Set<string>();
  const isGone = (name: string): boolean => {
    const isThere = existsSync(join(folder, name));
    if (isThere) seen.add(name);
    return !isThere && seen.has(name);
  };
  return {
    isDamaged: () => !isOurs(folder) || names.filter(isGone).length > 0,
    touch() {
      const now = new Date();
      for (const path of [folder, ...names.map((name) => join(folder, name))])
        if (existsSync(path)) utimesSync(path, now, now);
    },
  };
}
