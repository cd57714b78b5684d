/** A network of its own for Temporal: its ports, which know no callers apart, are then on no interface of this machine. */
import { execFile } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';

const bubblewrap = '/usr/bin/bwrap';

/** Ports in there; nobody else is. */
export const innerPorts = { temporal: 7233, webUi: 8233 } as const;

/** Longest path of a socket on Linux is 107 bytes; on macOS 103. */
const longestSocket = 103;

const separation = [
  // A process id space, too: when the first process in it ends, all of it has ended.
  ...['--unshare-net', '--unshare-pid', '--as-pid-1', '--die-with-parent'],
  ...['--dev-bind', '/', '/'],
];

/** Command line that runs a program in there with a bridge to it. `infoFd`: where the id of the first process is written. */
export const toBridged = (
  folder: string,
  infoFd: number,
  program: string,
  args: readonly string[],
): readonly [file: string, args: readonly string[]] => [
  bubblewrap,
  [
    ...separation,
    ...['--info-fd', String(infoFd)],
    process.execPath,
    fileURLToPath(new URL('temporal-bridge.ts', import.meta.url)),
    ...[folder, String(innerPorts.temporal), String(innerPorts.webUi), program, ...args],
  ],
];

/** Command line that runs a program in a network of its own, with loopback ports that lead to sockets. */
export const toNear = (
  ports: Readonly<Record<string, string>>,
  program: string,
  args: readonly string[],
): readonly [file: string, args: readonly string[]] => {
  const pairs = Object.entries(ports).map(([port, socket]) => `${port}=${socket}`);
  return [
    bubblewrap,
    [
      ...separation,
      process.execPath,
      fileURLToPath(new URL('temporal-near.ts', import.meta.url)),
      ...[String(pairs.length), ...pairs, program, ...args],
    ],
  ];
};

/** How long bubblewrap may take, attempt by attempt: half a minute in all, for a machine that is busy. */
const patienceMs = [5_000, 10_000, 15_000] as const;

/** Why there can be no network of its own on this machine; undefined when there can. Found out by making one. */
export async function findObstacle(): Promise<string | undefined> {
  if (process.platform !== 'linux') return `${process.platform} has no network namespaces`;
  if (!existsSync(bubblewrap)) return `bubblewrap is not installed (${bubblewrap})`;
  for (const timeout of patienceMs) {
    const obstacle = await tryOnce(timeout);
    if (obstacle !== timedOut) return obstacle;
  }
  return timedOut;
}

const timedOut = 'bubblewrap does not answer here';

const tryOnce = (timeout: number): Promise<string | undefined> =>
  new Promise((resolve) => {
    const options = { env: {}, timeout, killSignal: 'SIGKILL' } as const;
    execFile(bubblewrap, [...separation, '/bin/true'], options, (error, _output, said) => {
      if (error?.killed === true) return resolve(timedOut);
      const [line = ''] = said.trim().split('\n').slice(-1);
      resolve(
        error === null ? undefined : `bubblewrap does not work here: ${line || error.message}`,
      );
    });
  });

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
  } catch {
    return isOurs(folder);
  }
};

/**
 * Folder for the sockets of a stack: in its state folder or, where that makes too long a path, one with a name nobody can
 * foresee among the temporary files. `kept` is the one of last time.
 */
export function prepareSocketFolder(root: string, kept?: string): string {
  const inState = join(root, 'sockets');
  const short = tmpdir().length < 60 ? tmpdir() : '/tmp';
  if (Buffer.byteLength(join(inState, 'temporal.sock')) <= longestSocket) {
    if (claim(inState)) return inState;
    // Of ours, and damaged: nobody else can have made it in a private folder.
    rmSync(inState, { recursive: true, force: true });
    if (claim(inState)) return inState;
  } else if (kept !== undefined && kept.startsWith(`${short}/dev-agent-`) && claim(kept))
    return kept;
  for (;;) {
    const folder = join(short, `dev-agent-${randomBytes(8).toString('hex')}`);
    if (claim(folder)) return folder;
  }
}
