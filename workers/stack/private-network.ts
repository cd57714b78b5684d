/**
 * A network namespace for Temporal: it does not authenticate callers, and this way its ports are on no interface of
 * this machine.
 */
import type { ExecFileException } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { execute } from '../../activities/sandbox/execute.ts';
import { idleFlags } from '../../config/process.ts';

const bubblewrap = '/usr/bin/bwrap';

/** Ports inside; there is nobody else. */
export const innerPorts = { temporal: 7233, webUi: 8233 } as const;

const separation = [
  // A pid namespace too: when its first process ends, everything in it has ended.
  '--unshare-net',
  '--unshare-pid',
  '--as-pid-1',
  '--die-with-parent',
  '--dev-bind',
  '/',
  '/',
];

/** Command line that runs a program inside with a bridge to it. `infoFd`: receives the first process's pid. */
export const toBridged = (
  folder: string,
  infoFd: number,
  program: string,
  args: readonly string[],
): readonly [file: string, args: readonly string[]] => [
  bubblewrap,
  [
    ...separation,
    '--info-fd',
    String(infoFd),
    process.execPath,
    ...idleFlags,
    fileURLToPath(new URL('temporal-bridge.ts', import.meta.url)),
    folder,
    String(innerPorts.temporal),
    String(innerPorts.webUi),
    program,
    ...args,
  ],
];

/** Command line that runs a program in its own network namespace, with loopback ports that lead to sockets. */
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
      String(pairs.length),
      ...pairs,
      program,
      ...args,
    ],
  ];
};

/** Timeouts of successive attempts with bubblewrap: half a minute in all, for a busy machine. */
const patienceMs = [5_000, 10_000, 15_000] as const;

/** Why this machine cannot have a private network; undefined if it can. Tests by creating one. */
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

async function tryOnce(timeout: number): Promise<string | undefined> {
  try {
    const options = { env: {}, timeout, killSignal: 'SIGKILL' } as const;
    await execute(bubblewrap, [...separation, '/bin/true'], options);
  } catch (error) {
    const { killed, message, stderr = '' } = error as ExecFileException;
    if (killed === true) return timedOut;
    return `bubblewrap does not work here: ${stderr.trim().split('\n').at(-1) || message}`;
  }
}
