import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { text } from 'node:stream/consumers';
import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { idleFlags } from '../../config/process.ts';
import { toBridged } from './private-network.ts';
import type { PartSpec } from './part.ts';

type Environment = Readonly<Record<string, string>>;
type Run = Pick<PartSpec, 'spawn' | 'waitForUp'>;

/** Descriptor on which bubblewrap reports the pid of the first process it creates. */
const infoFd = 3;

const repeat = (flag: string, values: readonly string[]): string[] =>
  values.flatMap((value) => [flag, value]);

/** Where Temporal's ports are. */
export interface TemporalPlace {
  /** For clients: `unix:<socket>` or `127.0.0.1:<port>`. */
  readonly address: string;
  /** Folder of the sockets to it; absent if its ports are on this machine's loopback interface. */
  readonly sockets?: string;
  readonly ports: { readonly temporal: number; readonly webUi: number };
  /** Address its Web UI listens on; absent: no Web UI. */
  readonly uiHost?: string;
}

const toTemporalArgs = (
  database: string,
  { ports, uiHost }: TemporalPlace,
  { attributes, codecEndpoint }: TemporalNames,
): string[] => [
  'server',
  'start-dev',
  '--ip=127.0.0.1',
  `--port=${ports.temporal}`,
  ...(uiHost === undefined ? ['--headless'] : [`--ui-ip=${uiHost}`, `--ui-port=${ports.webUi}`]),
  ...(codecEndpoint === undefined ? [] : [`--ui-codec-endpoint=${codecEndpoint}`]),
  `--db-filename=${database}`,
  // Survives a killed process; only losing the whole machine can lose the last moments.
  ...repeat('--sqlite-pragma', ['journal_mode=wal', 'synchronous=normal']),
  // The default of 20 polls a second costs 100 ms a step. With these and eager activities: 8 ms.
  ...repeat('--dynamic-config-value', [
    'history.transferProcessorMaxPollRPS=10000',
    'history.timerProcessorMaxPollRPS=10000',
    'system.enableActivityEagerExecution=true',
    // One server needs no partitions: with four, a task scheduled before its worker polls may wait seconds for a poll
    // that hits the right one.
    'matching.numTaskqueueReadPartitions=1',
    'matching.numTaskqueueWritePartitions=1',
    // Its HTTP API accepts posts from any web page and cannot be disabled, so allow no Host header.
    'frontend.httpAllowedHosts=["no.such.invalid"]',
  ]),
  ...repeat(
    '--search-attribute',
    Object.entries(attributes).map(([name, type]) => `${name}=${type}`),
  ),
];

export interface TemporalNames {
  readonly namespace: string;
  /** Search attributes with their types. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Where the Web UI has payloads decoded. */
  readonly codecEndpoint?: string;
}

/** Temporal's dev server on a database file. Of the operator's environment it gets only what a program needs. */
export const toTemporal = (
  cli: string,
  database: string,
  place: TemporalPlace,
  names: TemporalNames,
  { PATH = '', HOME = '', NODE_COMPILE_CACHE = '' }: Environment,
): Run & Pick<PartSpec, 'end' | 'readInner'> => {
  const args = toTemporalArgs(database, place, names);
  const { address, sockets } = place;
  const waitForUp: Run['waitForUp'] = async (_child, signal) => {
    // Loaded while Temporal starts, not before.
    const { waitForServing } = await import('./serving.ts');
    await waitForServing(address, names.namespace, signal);
  };
  if (sockets === undefined) {
    const env = { PATH, HOME };
    return { spawn: () => spawn(cli, args, { env, stdio: ['ignore', 'pipe', 'pipe'] }), waitForUp };
  }
  const [file, bridged] = toBridged(sockets, infoFd, cli, args);
  return {
    spawn: () =>
      spawn(file, bridged, {
        env: { PATH, HOME, NODE_COMPILE_CACHE },
        stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      }),
    waitForUp,
    end: (child) => void child.stdin?.end(),
    readInner: async (child) => {
      const info = await text(child.stdio[infoFd] as Readable).catch(() => '');
      return Number(/"child-pid": (\d+)/.exec(info)?.[1]) || undefined;
    },
  };
};

const waitForReady = (child: ChildProcess, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const listen = (message: unknown): void => {
      if ((message as { type?: unknown } | null)?.type === 'ready') resolve();
    };
    child.on('message', listen);
    signal.addEventListener('abort', () => reject(new Error('It ended before it was ready.')));
  });

const entry = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** A Node process of ours that reports `{type: 'ready'}` over IPC and exits when that channel closes. */
export const toProcess = (
  path: string,
  cwd: string,
  readEnv: () => Environment,
  flags: readonly string[] = idleFlags,
): Run => ({
  spawn: () =>
    spawn(process.execPath, [...flags, entry(path)], {
      cwd,
      env: readEnv(),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    }),
  waitForUp: waitForReady,
});

const isListening = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const settle = (listening: boolean): void => {
      socket.destroy();
      resolve(listening);
    };
    socket.on('connect', () => settle(true));
    socket.on('error', () => settle(false));
  });

/** The demo model server. */
export const toDemo = (port: number, cwd: string, env: Environment): Run => ({
  spawn: () =>
    spawn(
      process.execPath,
      [...idleFlags, entry(join('demo', 'main.ts')), '--port', String(port)],
      { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] },
    ),
  async waitForUp(_child, signal) {
    while (!(await isListening(port))) {
      signal.throwIfAborted();
      await setTimeout(5);
    }
  },
});
