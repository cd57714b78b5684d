/** A network of its own for Temporal: its ports, which know no callers apart, are then on no interface of this machine. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const bubblewrap = '/usr/bin/bwrap';

/** Ports in there; nobody else is. */
export const innerPorts = { temporal: 7233, webUi: 8233 } as const;

const separation = [
  // A process id space, too: when the first process in it ends, all of it has ended.
  '--unshare-net',
  '--unshare-pid',
  '--as-pid-1',
  '--die-with-parent',
  '--dev-bind',
  '/',
  '/',
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
    '--info-fd',
    String(infoFd),
    process.execPath,
    fileURLToPath(new URL('temporal-bridge.ts', import.meta.url)),
    folder,
    String(innerPorts.temporal),
    String(innerPorts.webUi),
    program,
    ...args,
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
      String(pairs.length),
      ...pairs,
      program,
      ...args,
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
