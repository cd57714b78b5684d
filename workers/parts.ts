import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ChildProcess } from 'node:child_process';
import type { Addresses } from './addresses.ts';
import type { PartSpec } from './part.ts';

type Environment = Readonly<Record<string, string>>;
type Run = Pick<PartSpec, 'spawn' | 'waitForUp'>;

const repeat = (flag: string, values: readonly string[]): string[] =>
  values.flatMap((value) => [flag, value]);

const toTemporalArgs = (
  database: string,
  { temporal, webUi, codec }: Addresses,
  { attributes, encrypted }: TemporalNames,
): string[] => [
  'server',
  'start-dev',
  '--ip=127.0.0.1',
  `--port=${temporal}`,
  `--ui-port=${webUi}`,
  ...(encrypted ? [`--ui-codec-endpoint=http://127.0.0.1:${codec}`] : []),
  `--db-filename=${database}`,
  // Survives a killed process; only the loss of the whole machine can take the last moments.
  ...repeat('--sqlite-pragma', ['journal_mode=wal', 'synchronous=normal']),
  // 20 polls a second by default: 100 ms a step. With these and eager activities, 8 ms.
  ...repeat('--dynamic-config-value', [
    'history.transferProcessorMaxPollRPS=10000',
    'history.timerProcessorMaxPollRPS=10000',
    'system.enableActivityEagerExecution=true',
    // One server needs no partitions: with four, a task scheduled before its worker polls may wait seconds for a poll
    // that asks the right one.
    'matching.numTaskqueueReadPartitions=1',
    'matching.numTaskqueueWritePartitions=1',
    // Its HTTP API takes posts of any web page, and cannot be left out: no request has a Host that it accepts.
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
  /** The Web UI asks our codec for what is in the payloads. */
  readonly encrypted: boolean;
}

/** Temporal's dev server on a file. It gets nothing of the operator's environment but what a program needs. */
export const toTemporal = (
  cli: string,
  database: string,
  addresses: Addresses,
  names: TemporalNames,
  { PATH = '', HOME = '' }: Environment,
): Run => ({
  spawn: () =>
    spawn(cli, toTemporalArgs(database, addresses, names), {
      env: { PATH, HOME },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  async waitForUp(_child, signal) {
    // Read while Temporal starts, not before.
    const { waitForServing } = await import('./serving.ts');
    await waitForServing(`127.0.0.1:${addresses.temporal}`, names.namespace, signal);
  },
});

const waitForReady = (child: ChildProcess, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const listen = (message: unknown): void => {
      if ((message as { type?: unknown } | null)?.type === 'ready') resolve();
    };
    child.on('message', listen);
    signal.addEventListener('abort', () => reject(new Error('It ended before it was ready.')));
  });

const entry = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** A Node process of ours that says `{type: 'ready'}` over IPC, and ends when that channel does. */
export const toProcess = (path: string, cwd: string, env: Environment): Run => ({
  spawn: () =>
    spawn(process.execPath, [entry(path)], {
      cwd,
      env,
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
    spawn(process.execPath, [entry(join('demo', 'main.ts')), '--port', String(port)], {
      cwd,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  async waitForUp(_child, signal) {
    while (!(await isListening(port))) {
      signal.throwIfAborted();
      await setTimeout(5);
    }
  },
});
