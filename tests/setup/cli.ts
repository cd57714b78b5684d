/** The `agent` command as a person runs it: a process of its own, with a state folder of its own. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DataConverter } from '@temporalio/common';
import type { RunEvent } from '../../audit/events/events.ts';
import { createPayloadCodec } from '../../audit/record/keys/payload-codec.ts';
import { readPayloadKeys } from '../../audit/record/keys/payload-keys.ts';
import type { StackPart } from '../../config/stack.ts';

/** The events of `--json`, one a line. */
export const parseEvents = (stdout: string): RunEvent[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as RunEvent);

/** Path of the program. */
export const agent = fileURLToPath(new URL('../../cli/agent.js', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly child: ChildProcess;
  /** Run events of `--json` so far. */
  readonly events: readonly RunEvent[];
  /** Resolves with the first event that fits, past or future. */
  waitFor(fits: (event: RunEvent) => boolean): Promise<RunEvent>;
  readonly ended: Promise<Ended>;
}

export interface Machine {
  /** Holds everything below. */
  readonly root: string;
  readonly state: string;
  readonly env: Readonly<Record<string, string>>;
  start(...args: readonly string[]): Started;
  run(...args: readonly string[]): Promise<Ended>;
  /** Pid of a part of the local stack. */
  pidOf(name: StackPart['name']): Promise<number>;
  /** Stops the stack and removes everything. */
  stop(): Promise<void>;
}

/** `env` is added to what every command gets. */
export function createMachine(env: Readonly<Record<string, string>> = {}): Machine {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'agent-cli-')));
  const state = join(root, 'state');
  const {
    PATH = '',
    HOME = '',
    AGENT_TEMPORAL_CLI = '',
    XDG_CACHE_HOME = join(HOME, '.cache'),
  } = process.env;
  const environment = {
    PATH,
    HOME,
    AGENT_TEMPORAL_CLI,
    AGENT_STATE_DIR: state,
    XDG_CONFIG_HOME: join(root, 'config'),
    NO_COLOR: '1',
    AGENT_SANDBOX: existsSync('/usr/bin/bwrap') ? 'auto' : 'none',
    XDG_CACHE_HOME,
    ...env,
  };

  const start = (...args: readonly string[]): Started => {
    const child = spawn(process.execPath, [agent, ...args], {
      env: environment,
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    const events: RunEvent[] = [];
    const waiting: { fits: (event: RunEvent) => boolean; resolve: (event: RunEvent) => void }[] =
      [];
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      if (!args.includes('--json')) return;
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const event = JSON.parse(line) as RunEvent;
        events.push(event);
        for (const { resolve } of waiting.filter(({ fits }) => fits(event))) resolve(event);
      }
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const ended = new Promise<Ended>((resolve) =>
      child.on('close', (code) => resolve({ code, stdout, stderr })),
    );
    return {
      child,
      events,
      ended,
      waitFor(fits) {
        const past = events.find(fits);
        if (past !== undefined) return Promise.resolve(past);
        return new Promise((resolve, reject) => {
          waiting.push({ fits, resolve });
          void ended.then(({ code }) =>
            reject(new Error(`agent ${args.join(' ')} ended with ${code} before that: ${stderr}`)),
          );
        });
      },
    };
  };
  const run = (...args: readonly string[]): Promise<Ended> => start(...args).ended;

  return {
    root,
    state,
    start,
    run,
    env: environment,
    async pidOf(name) {
      const { stdout } = await run('ps', '--json');
      const { parts } = JSON.parse(stdout) as { parts: readonly StackPart[] };
      const pid = parts.find((part) => part.name === name)?.pid;
      if (pid === undefined) throw new Error(`The stack has no ${name}: ${stdout}`);
      return pid;
    },
    async stop() {
      await run('down');
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** What a client of this machine's stack needs to read and write its payloads. */
export const toDataConverter = ({ root }: Machine): DataConverter => {
  const file = join(root, 'config', 'dev-agent', 'keys', 'payload-keys');
  return { payloadCodecs: [createPayloadCodec({ keys: readPayloadKeys(file) })] };
};
