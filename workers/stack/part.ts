import { setTimeout } from 'node:timers/promises';
import type { ChildProcess } from 'node:child_process';
import { failpoint } from '../../audit/record/failpoint.ts';
import type { StackPart } from '../../config/stack.ts';
import { endProcess, readMemory, readTreeMemory, readStartTime } from '../../config/process.ts';
import type { ProcessId } from '../../config/process.ts';
import type { LogFile } from '../log-file.ts';

export interface PartSpec {
  readonly name: StackPart['name'];
  readonly log: LogFile;
  readonly port?: number;
  /** Starts the process; called again for each restart. */
  readonly spawn: () => ChildProcess;
  /** Resolves once the process is up. */
  readonly waitForUp: (child: ChildProcess, signal: AbortSignal) => Promise<void>;
  /** Asks the process to exit, if a signal would not do; it is killed after `graceMs` in any case. */
  readonly end?: (child: ChildProcess) => void;
  /** Id of a further process that outlives the spawned one. */
  readonly readInner?: (child: ChildProcess) => Promise<number | undefined>;
  /** Called after each start. */
  readonly onStart?: () => void;
  /** Called each time it is up. */
  readonly onUp?: () => void;
  /** Called after each start and exit, to record the pids. */
  readonly onChange: () => void;
  /** Milliseconds between asking it to exit and killing it. */
  readonly graceMs: number;
}

/** One supervised process. */
export interface Part {
  readonly name: StackPart['name'];
  /** No effect while it runs. */
  start(): void;
  /** Stops the process and starts another at once. */
  restart(): Promise<void>;
  /** Resolves once the process is gone; it is not restarted. */
  stop(): Promise<void>;
  send(message: object): void;
  /** Resolves once it is up, across restarts. */
  waitForUp(): Promise<void>;
  hasStarted(): boolean;
  /** Empty while it is not running. */
  ids(): readonly ProcessId[];
  view(version?: string): StackPart;
}

const firstDelayMs = 200;
const maxDelayMs = 30_000;
/** A process that ran this long did not fail at startup: restart it at once. */
const steadyMs = 60_000;
const configurationExit = 78;

/** Keeps one process running: restarts it at once, then with a delay that doubles from 0.2 s to 30 s. */
export function createPart(spec: PartSpec): Part {
  let child: ChildProcess | undefined;
  let process: ProcessId | undefined;
  let inner: ProcessId | undefined;
  let state: StackPart['state'] = 'starting';
  let since = new Date();
  let restarts = 0;
  let failures = 0;
  let reason = '';
  let started = false;
  /** Set if its exit is intended, for a restart. */
  let wanted = false;
  let exit: Promise<void> = Promise.resolve();
  const waiting: (() => void)[] = [];
  const stopping = new AbortController();

  const set = (next: StackPart['state']): void => {
    state = next;
    since = new Date();
  };

  const startAgain = async (): Promise<void> => {
    // Nothing waiting for a process killed at work should also wait for a delay.
    const delay = failures === 0 ? 0 : firstDelayMs * 2 ** (failures - 1);
    failures += 1;
    await setTimeout(Math.min(delay, maxDelayMs), undefined, { signal: stopping.signal });
    restarts += 1;
    run();
    failpoint('supervisor.part-restarted');
  };

  const end = (code: number | null, signal: NodeJS.Signals | null, startedAt: number): void => {
    failpoint('supervisor.part-ended');
    child = undefined;
    process = undefined;
    inner = undefined;
    reason = `${signal === null ? `exit ${code}` : signal}: ${spec.log.lastLine()}`.slice(0, 500);
    spec.log.write(`[supervisor] ${spec.name} ended, ${signal ?? `exit ${code}`}\n`);
    // Being killed from outside is not a failure at startup either.
    if (wanted || Date.now() - startedAt > steadyMs || (signal !== null && state === 'up'))
      failures = 0;
    wanted = false;
    if (stopping.signal.aborted) return spec.onChange();
    set(code === configurationExit ? 'failed' : 'restarting');
    spec.onChange();
    startAgain().catch(() => undefined); // Rejects only when the part is being stopped.
  };

  const watch = async (watched: ChildProcess, ended: AbortSignal): Promise<void> => {
    await spec.waitForUp(watched, ended);
    if (ended.aborted) return;
    set('up');
    reason = '';
    for (const resolve of waiting.splice(0)) resolve();
    spec.onUp?.();
  };

  const noteInner = async (of: ChildProcess): Promise<void> => {
    const pid = await spec.readInner?.(of);
    if (pid === undefined || child !== of) return;
    inner = { pid, startTime: readStartTime(pid) ?? '' };
    spec.onChange();
  };

  const run = (): void => {
    const exited = Promise.withResolvers<void>();
    exit = exited.promise;
    const startedAt = Date.now();
    const ended = new AbortController();
    const next = spec.spawn();
    child = next;
    for (const stream of [next.stdout, next.stderr]) {
      stream?.on('data', (bytes: Uint8Array) => spec.log.write(bytes));
    }
    const finish = (code: number | null, signal: NodeJS.Signals | null): void => {
      if (ended.signal.aborted) return;
      ended.abort();
      end(code, signal, startedAt);
      exited.resolve();
    };
    next.once('exit', finish);
    next.on('error', (error) => {
      spec.log.write(`[supervisor] ${spec.name}: ${error.message}\n`);
      if (next.pid === undefined) finish(null, null);
    });
    if (next.pid !== undefined) {
      process = { pid: next.pid, startTime: readStartTime(next.pid) ?? '' };
    }
    if (state !== 'failed') set('starting');
    spec.onChange();
    spec.onStart?.();
    void noteInner(next);
    watch(next, ended.signal).catch(() => undefined); // Rejects only when the process has ended.
  };

  const endChild = async (): Promise<void> => {
    const [ending, ended] = [process, exit];
    if (spec.end !== undefined && child !== undefined) {
      spec.end(child);
      await Promise.race([ended, setTimeout(spec.graceMs, undefined, { ref: false })]);
    }
    if (ending !== undefined) await endProcess(ending, spec.graceMs);
    await ended;
  };

  return {
    name: spec.name,
    start() {
      if (started || stopping.signal.aborted) return;
      started = true;
      run();
    },
    async stop() {
      stopping.abort();
      await endChild();
    },
    async restart() {
      // If it is waiting for its next start, it will pick up the change by itself.
      if (child === undefined) return;
      wanted = true;
      await endChild();
    },
    send(message) {
      if (child?.connected === true) child.send(message, () => undefined);
    },
    async waitForUp() {
      if (state !== 'up') await new Promise<void>((resolve) => waiting.push(resolve));
    },
    hasStarted: () => started,
    ids: () => [process, inner].filter((id) => id !== undefined),
    view(version) {
      const read = spec.readInner === undefined ? readMemory : readTreeMemory;
      const memoryBytes = process === undefined ? undefined : read(process.pid);
      return {
        name: spec.name,
        pid: process?.pid ?? 0,
        state,
        port: spec.port,
        version,
        memoryBytes,
        restarts,
        since: since.toISOString(),
        log: spec.log.path,
        reason: state === 'up' || reason === '' ? undefined : reason,
      };
    },
  };
}
