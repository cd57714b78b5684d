/** The local stack as the commands see it: found, started, asked and stopped. The work itself is the supervisor's. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ChildProcess } from 'node:child_process';
import { ensurePayloadKeys } from '../../audit/record/keys/payload-keys.ts';
import { toEnvironment } from '../../config/environment.ts';
import { endProcess, isRunning } from '../../config/process.ts';
import { prepareStateFolder } from '../../config/state-folder.ts';
import { readVersion } from '../../config/version.ts';
import type { Settings } from '../../config/environment.ts';
import type { SecretValue } from '../../policies/secrets/values.ts';
import type { StackFile, StackStart, StackStatus } from '../../config/stack.ts';
import { ClientError, toFailureKind } from '../errors.ts';
import { askControl } from './control.ts';
import { readStackFile } from './file.ts';
import { tellDifferences } from './settings.ts';

export interface StartOptions {
  /** Gets lines for the person who waits, such as the progress of a download. */
  readonly onProgress?: (line: string) => void;
  /** Refuses a running stack with other settings than those somebody set; else that is a note. */
  readonly strict?: boolean;
}

/** How long to try again while somebody else has the folder and does not show a stack. */
const appearMs = 4_000;
/** The supervisor looks after its file once a second. */
const rewriteMs = 1_500;
/** Longest orderly stop: the worker's grace, then Temporal's, with a margin. */
const stopMs = 40_000;

/** The running stack, or undefined. Does not start one, and does not ask whether Temporal answers. */
export function readStack(settings: Settings): StackFile | undefined {
  const { stack } = readStackFile(settings.folders);
  return stack !== undefined && isRunning(stack) ? stack : undefined;
}

/**
 * The running stack, started if need be. Resolves when Temporal answers; the worker may still be starting.
 * Commands that start at the same time end up with the same stack.
 * @throws ConfigError when the state folder cannot be used. @throws ClientError when the stack does not come up.
 */
export async function ensureStack(
  settings: Settings,
  { onProgress = () => undefined, strict = false }: StartOptions = {},
): Promise<StackFile> {
  prepareStateFolder(settings.folders.root);
  const { damaged } = readStackFile(settings.folders);
  if (damaged !== undefined) onProgress(damaged);
  for (;;) {
    const running = readStack(settings);
    const stack = running ?? (await startStack(settings));
    if (!(await waitForServing(stack, onProgress))) {
      // It was on its way down; a new one can begin when it is gone.
      await waitForEnd(stack, stopMs);
      continue;
    }
    if (running === undefined) return stack;
    const open = isCurrent(running) ? [] : await listOpen(running);
    if (!isCurrent(running) && open.length === 0) {
      onProgress(`Replacing the local stack of version ${running.version}; no run is open.`);
      await stopStack(settings);
      continue;
    }
    const told = tellDifferences(settings, running, open, strict);
    if (told.refused !== undefined) throw new ClientError(told.refused, 'configuration');
    for (const note of told.notes) onProgress(note);
    return stack;
  }
}

const isCurrent = ({ version }: StackFile): boolean => version === readVersion();

/** What is open on a stack of another version. */
async function listOpen({ temporal, namespace }: StackFile): Promise<string[]> {
  const { connectClient } = await import('../run-client.ts');
  const client = await connectClient({ address: temporal, namespace }, {});
  try {
    return await client.listOpen();
  } finally {
    await client.close();
  }
}

/** Stops the stack and whatever a killed supervisor left behind. Resolves when every process is gone. */
export async function stopStack(settings: Settings): Promise<{ readonly wasRunning: boolean }> {
  const stack = await findStack(settings);
  if (stack === undefined) return { wasRunning: false };
  const wasRunning = isRunning(stack);
  if (wasRunning) {
    await askControl(stack, '/down', {}).catch(() => undefined);
    if (!(await waitForEnd(stack, stopMs))) await endProcess(stack, 2_000);
  }
  const left = (stack.parts ?? []).filter(isRunning);
  await Promise.all(left.map((part) => endProcess(part, part.name === 'worker' ? 12_000 : 5_000)));
  if (!wasRunning || left.length > 0) {
    for (const file of [settings.folders.stackFile, settings.folders.tokenFile]) {
      rmSync(file, { force: true });
    }
  }
  return { wasRunning: wasRunning || left.length > 0 };
}

/** What `stack.json` says; a running supervisor replaces a damaged one within a second. */
async function findStack(settings: Settings): Promise<StackFile | undefined> {
  const { stack, damaged } = readStackFile(settings.folders);
  if (damaged === undefined) return stack;
  await setTimeout(rewriteMs);
  return readStackFile(settings.folders).stack;
}

/** The parts with pids, ports, versions and memory. */
export const stackStatus = (stack: StackFile): Promise<StackStatus> =>
  askControl<StackStatus>(stack, '/status', {});

/** Hands the worker the key for one model server; it is kept in memory only. */
export async function handKey(stack: StackFile, baseUrl: string, apiKey: string): Promise<void> {
  await askControl(stack, '/key', { baseUrl, apiKey });
}

/** Tells the worker what it must not write; it is kept in memory only. */
export async function handSecrets(stack: StackFile, values: readonly SecretValue[]): Promise<void> {
  await askControl(stack, '/secrets', { values });
}

/** Starts the demo model server if need be. */
export const startDemo = (stack: StackFile): Promise<{ readonly baseUrl: string }> =>
  askControl(stack, '/demo', {});

async function startStack(settings: Settings): Promise<StackFile> {
  ensurePayloadKeys(settings);
  const deadline = Date.now() + appearMs;
  while (Date.now() < deadline) {
    const { child, end, lastWords } = spawnSupervisor(settings);
    while (end.at === undefined || (end.code === 0 && Date.now() < end.at + rewriteMs)) {
      const stack = readStack(settings);
      if (stack !== undefined) {
        child.unref();
        return stack;
      }
      await setTimeout(5);
    }
    // Exit 0: another supervisor has the folder. It showed itself above, or it is just leaving and we try again.
    if (end.code !== 0) {
      const log = join(settings.folders.logs, 'supervisor.log');
      throw new ClientError(
        `The local stack did not start: ${lastWords()}. See ${log}.`,
        toFailureKind(end.code === 78 ? 78 : 69),
      );
    }
  }
  throw new ClientError(
    `The state folder ${settings.folders.root} is in use by a supervisor that cannot be reached, perhaps in ` +
      'another container. Stop it there, or choose another folder with AGENT_STATE_DIR.',
    'busy',
  );
}

/** What the terminal knows that the stack has no use for, and tools must never see. */
const isSecret = (name: string): boolean =>
  /KEY|TOKEN|SECRET|PASSW|CREDENTIAL|^TEMPORAL_|^SSH_|^AGENT_WORKSPACE$/i.test(name);

interface Spawned {
  readonly child: ChildProcess;
  /** Filled in when it has ended. */
  readonly end: { at?: number; code?: number | null };
  readonly lastWords: () => string;
}

function spawnSupervisor(settings: Settings): Spawned {
  const { folders } = settings;
  const crashLog = join(folders.root, 'supervisor-crash.log');
  const inherited = Object.entries(process.env).filter(([name]) => !isSecret(name));
  const fd = openSync(crashLog, 'w', 0o600);
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('../../workers/stack/supervisor.ts', import.meta.url))],
    {
      // Its own session: closing the terminal or pressing Ctrl-C does not reach it.
      detached: true,
      cwd: folders.root,
      env: {
        ...Object.fromEntries(inherited),
        ...toEnvironment(settings),
        NODE_COMPILE_CACHE: join(settings.cacheDir, 'compiled'),
      },
      stdio: ['ignore', fd, fd],
    },
  );
  closeSync(fd);
  const end: Spawned['end'] = {};
  child.once('exit', (code) => Object.assign(end, { at: Date.now(), code }));
  child.once('error', () => Object.assign(end, { at: Date.now(), code: null }));
  const lastWords = (): string => {
    const lines = readFileSync(crashLog, 'utf8').split('\n');
    return lines.find((line) => /Error\b/.test(line)) ?? lines[0] ?? 'it said nothing';
  };
  return { child, end, lastWords };
}

/** False when the stack is stopping or gone. */
async function waitForServing(
  stack: StackFile,
  onProgress: (line: string) => void,
): Promise<boolean> {
  let seen = 0;
  for (;;) {
    let start: StackStart;
    try {
      start = await askControl<StackStart>(stack, '/wait', { seen });
    } catch (error) {
      if (!isRunning(stack)) return false;
      const reason = (error as Error).message;
      throw new ClientError(
        `The local stack (pid ${stack.pid}) is not responding: ${reason}. Run: agent down`,
        'unavailable',
      );
    }
    for (const line of start.progress) onProgress(line);
    seen += start.progress.length;
    if (start.problem !== undefined) {
      throw new ClientError(start.problem.message, toFailureKind(start.problem.exitCode));
    }
    if (start.state !== 'starting') return start.state === 'serving';
  }
}

async function waitForEnd(stack: StackFile, withinMs: number): Promise<boolean> {
  const deadline = Date.now() + withinMs;
  while (isRunning(stack)) {
    if (Date.now() > deadline) return false;
    await setTimeout(10);
  }
  return true;
}
