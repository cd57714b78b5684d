/** The folder with the sockets that lead to Temporal and its Web UI, which only this user can enter. */
import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, isAbsolute, join } from 'node:path';

/** `temporal` and `web` are the bridge's, `ui` is the supervisor's. */
export const socketNames = { temporal: 'temporal.sock', web: 'web.sock', ui: 'ui.sock' } as const;
const names = Object.values(socketNames);

/** Longest path of a socket on Linux is 107 bytes; on macOS 103. */
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

/** Makes a folder only this user can enter; false when the name is taken by something else. */
const claim = (folder: string): boolean => {
  try {
    mkdirSync(folder, { mode: 0o700 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return isOurs(folder);
  }
};

/** A name nobody can foresee. */
const toTemporary = (parent: string): string =>
  join(parent, `dev-agent-${randomBytes(8).toString('hex')}`);

/** Where such a folder can be, the best first: what is in the runtime folder no cleaner removes before the last logout. */
const findParents = (runtimeDir: string): string[] => [
  ...(isAbsolute(runtimeDir) && isOurs(runtimeDir) ? [runtimeDir] : []),
  tmpdir(),
  '/tmp',
];

/**
 * Folder for the sockets of a stack: in its state folder or, where that makes too long a path, a temporary one. `kept` is
 * the one of last time. @throws when none can be made.
 */
export function prepareSocketFolder(
  root: string,
  kept?: string,
  { XDG_RUNTIME_DIR: runtimeDir = '' }: NodeJS.ProcessEnv = process.env,
): string {
  const inState = join(root, 'sockets');
  if (fits(inState)) {
    if (claim(inState)) return inState;
    // Of ours, and damaged: nobody else can have made it in a private folder.
    rmSync(inState, { recursive: true, force: true });
    if (claim(inState)) return inState;
  }
  const parents = findParents(runtimeDir).filter((parent) => fits(toTemporary(parent)));
  const isOneOfThese = (folder: string): boolean =>
    parents.includes(dirname(folder)) && basename(folder).startsWith('dev-agent-');
  // Clients of a stack that comes back look for it where it was.
  if (kept !== undefined && isOneOfThese(kept) && claim(kept)) return kept;
  const [parent = '/tmp'] = parents;
  for (;;) {
    const folder = toTemporary(parent);
    if (claim(folder)) return folder;
  }
}

/** Looks after a socket folder that others may clean up. */
export interface SocketWatch {
  /** Whether the folder, or a socket that was in it, is gone. */
  isDamaged(): boolean;
  /** Makes everything look used: cleaners go by age, and see no use of a socket from another network. */
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
