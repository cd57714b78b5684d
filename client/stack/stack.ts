/** Starts and stops the local stack; the supervisor does the work. */
import { rmSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { endProcess, isRunning } from '../../config/process.ts';
import { prepareStateFolder } from '../../config/state-folder.ts';
import { readVersion } from '../../config/version.ts';
import type { Settings } from '../../config/environment.ts';
import type { StackFile, StackStart } from '../../config/stack.ts';
import { ClientError, toFailureKind } from '../errors.ts';
import { askControl } from './control.ts';
import { readStack, readStackFile, rewriteMs } from './file.ts';
import { tellDifferences } from './settings.ts';
import { startStack } from './spawn.ts';

export interface StartOptions {
  /** Receives lines for the person waiting, such as download progress. */
  readonly onProgress?: (line: string) => void;
  /** Refuses a running stack whose settings differ from explicit ones; otherwise just a note. */
  readonly strict?: boolean;
}

/** Longest orderly stop: the worker's grace period plus Temporal's, with a margin. */
const stopMs = 40_000;

/**
 * The running stack, started if needed. Resolves once Temporal answers; the worker may still be starting. Concurrent
 * commands get the same stack. @throws ConfigError if the state folder is unusable. @throws ClientError if the stack
 * does not come up.
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
      // It was stopping; a new one can start once it is gone.
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

/** Open workflows on a stack of another version. */
async function listOpen({ temporal, namespace }: StackFile): Promise<string[]> {
  const { connectClient } = await import('../run-client.ts');
  const client = await connectClient({ address: temporal, namespace }, {});
  try {
    return await client.listOpen();
  } finally {
    await client.close();
  }
}

/** Stops the stack and whatever a killed supervisor left running. Resolves once every process is gone. */
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

/** The content of `stack.json`; a running supervisor replaces a damaged one within a second. */
async function findStack(settings: Settings): Promise<StackFile | undefined> {
  const { stack, damaged } = readStackFile(settings.folders);
  if (damaged === undefined) return stack;
  await setTimeout(rewriteMs);
  return readStackFile(settings.folders).stack;
}

/** False if the stack is stopping or gone. */
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
