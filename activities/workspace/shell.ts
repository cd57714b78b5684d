import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { CommandLine, Pipeline, SimpleCommand } from '../../policies/command.ts';
import type { Authorize } from './files.ts';
import { OutputCapture } from './output.ts';
import type { Captured } from './output.ts';
import type { Sandbox } from './sandbox.ts';
import { commandEnvironment, toBubblewrapArguments } from './sandbox.ts';
import { openRedirects } from './redirects.ts';
import type { Wiring } from './redirects.ts';

export interface CommandOptions {
  /** Absolute, free of links. */
  readonly root: string;
  readonly sandbox: Sandbox;
  readonly timeoutMs: number;
  /** Of the output, how much is kept as a whole. */
  readonly maxOutputBytes: number;
  readonly signal: AbortSignal;
  readonly protectedPaths: readonly string[];
  readonly hiddenPaths: readonly string[];
  /** For outputs too large for memory; created when needed. */
  readonly spillDir: string;
  readonly authorize: Authorize;
  /** Puts in what the policy wants every call of a program to have. */
  readonly prepareArgv?: (argv: readonly string[]) => readonly string[];
}

export interface CommandOutcome extends Captured {
  /** As a shell counts: 124 on time-out, 127 not found, 128 + n on signal n. */
  readonly exitCode: number;
  readonly timedOut: boolean;
  readonly ms: number;
}

/** Commands cannot be confined here, so none is run. */
export class SandboxUnavailable extends Error {
  override readonly name = 'SandboxUnavailable';
}

const fileLimitBytes = 1_073_741_824;
const limits = ['--core=0', '--nofile=1024', `--fsize=${fileLimitBytes}`];
const prlimit = '/usr/bin/prlimit';

/**
 * A constant script around every command; the command itself is never shell text. It makes "not found" exit 127, and puts
 * standard error on standard output's own pipe where both go to the same place, so that their order is kept.
 */
const toWrapper = (merged: boolean): string[] => [
  '/bin/sh',
  '-c',
  merged ? 'exec "$@" 2>&1' : 'exec "$@"',
  'sh',
];

interface Running {
  readonly options: CommandOptions;
  readonly capture: OutputCapture;
  readonly children: Set<ChildProcess>;
  readonly stop: AbortSignal;
}

/**
 * Runs a parsed command line without a shell: the processes, pipes and files are exactly those of the parse. Each process has
 * a sandbox and a process group of its own; on time-out or abort the groups are killed, and nothing survives.
 * @throws SandboxUnavailable; the reason of `signal` when it fires; PathRefused for a redirection that is not allowed.
 */
export async function runCommandLine(
  line: CommandLine,
  options: CommandOptions,
): Promise<CommandOutcome> {
  const { sandbox, timeoutMs, signal, spillDir } = options;
  if (sandbox.kind === 'unavailable')
    throw new SandboxUnavailable(`${sandbox.reason} ${sandbox.fix}`);
  signal.throwIfAborted();
  await mkdir(spillDir, { recursive: true, mode: 0o700 });
  const started = performance.now();
  const late = AbortSignal.timeout(timeoutMs);
  const running: Running = {
    options,
    capture: new OutputCapture(options.maxOutputBytes, join(spillDir, `${randomUUID()}.out`)),
    children: new Set(),
    stop: AbortSignal.any([signal, late]),
  };
  const killAll = (): void => {
    for (const child of running.children) killGroup(child);
  };
  running.stop.addEventListener('abort', killAll);
  try {
    const exitCode =
      line.kind === 'shell'
        ? await runScript(line, running)
        : await runPipelines(line.pipelines, running);
    signal.throwIfAborted();
    const captured = running.capture.end();
    return {
      ...captured,
      exitCode: late.aborted ? 124 : exitCode,
      timedOut: late.aborted,
      ms: Math.round(performance.now() - started),
    };
  } catch (error) {
    killAll();
    running.capture.discard();
    throw error;
  } finally {
    running.stop.removeEventListener('abort', killAll);
  }
}

/** The whole group: a killed `npm test` would leave its children running. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

function runScript(
  { text, cwd }: CommandLine & { kind: 'shell' },
  running: Running,
): Promise<number> {
  const bash = existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh';
  return runPipeline(
    { when: 'first', cwd, commands: [{ argv: [bash, '-c', text], redirects: [] }] },
    running,
  );
}

async function runPipelines(pipelines: readonly Pipeline[], running: Running): Promise<number> {
  let exitCode = 0;
  for (const pipeline of pipelines) {
    if (running.stop.aborted) break;
    if (pipeline.when === 'and' && exitCode !== 0) continue;
    if (pipeline.when === 'or' && exitCode === 0) continue;
    exitCode = await runPipeline(pipeline, running);
  }
  return exitCode;
}

/** Starts every process of a pipeline, connected by the kernel; the exit code is the last one's. */
async function runPipeline({ cwd, commands }: Pipeline, running: Running): Promise<number> {
  const { root, authorize } = running.options;
  const exits: Promise<number>[] = [];
  const drains: Promise<void>[] = [];
  let input: Readable | undefined;
  for (const [index, command] of commands.entries()) {
    const wiring = openRedirects(command.redirects, {
      root,
      cwd,
      authorize,
      last: index === commands.length - 1,
    });
    const child = start(command, cwd, wiring, input, running);
    exits.push(waitForExit(child, running));
    // The child has its own copy; ours must go, or the process before it never learns that nobody reads.
    input?.destroy();
    for (const fd of wiring.opened) closeSync(fd);
    const streams = { out: child.stdout, err: wiring.merged ? null : child.stderr };
    input = undefined;
    for (const name of ['out', 'err'] as const) {
      const stream = streams[name];
      if (stream === null) continue;
      if (wiring[name] === 'pipe') input = stream;
      else drains.push(drain(stream, running.capture));
    }
  }
  const codes = await Promise.all(exits);
  await Promise.all(drains);
  return codes.at(-1) ?? 0;
}

function start(
  { argv }: SimpleCommand,
  cwd: string,
  wiring: Wiring,
  input: Readable | undefined,
  running: Running,
): ChildProcess {
  const { sandbox, root, prepareArgv, protectedPaths, hiddenPaths } = running.options;
  const command = [...toWrapper(wiring.merged), ...(prepareArgv?.(argv) ?? argv)];
  const stdio = [
    wiring.input ?? input ?? 'ignore',
    typeof wiring.out === 'number' || wiring.out === 'ignore' ? wiring.out : 'pipe',
    wiring.merged
      ? 'ignore'
      : typeof wiring.err === 'number' || wiring.err === 'ignore'
        ? wiring.err
        : 'pipe',
  ] as const;
  const wrap = existsSync(prlimit) ? [prlimit, ...limits] : [];
  let child: ChildProcess;
  if (sandbox.kind === 'bubblewrap') {
    const filter =
      sandbox.files.seccomp === undefined ? undefined : openSync(sandbox.files.seccomp, 'r');
    const view = { root, cwd, protectedPaths, hiddenPaths };
    const args = toBubblewrapArguments(sandbox.files, view, filter === undefined ? undefined : 3);
    // Through a descriptor: its command line can be read inside the sandbox.
    const [file = '', ...rest] = [...wrap, sandbox.program, '--args', '4', '--', ...command];
    child = spawn(file, rest, {
      env: {},
      detached: true,
      stdio: [...stdio, filter ?? 'ignore', 'pipe'],
    });
    const argsPipe = child.stdio[4] as NodeJS.WritableStream | null | undefined;
    argsPipe?.on('error', () => undefined);
    argsPipe?.end(args.map((arg) => `${arg}\0`).join(''));
    if (filter !== undefined) closeSync(filter);
  } else {
    const [file = '', ...rest] = [...wrap, ...command];
    child = spawn(file, rest, {
      env: commandEnvironment(sandbox),
      cwd: join(root, cwd),
      detached: true,
      stdio: [...stdio],
    });
  }
  if (wiring.text !== undefined) {
    // A command that does not read its input is no failure.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(wiring.text);
  }
  return child;
}

function waitForExit(child: ChildProcess, { children, stop }: Running): Promise<number> {
  children.add(child);
  if (stop.aborted) killGroup(child);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      killGroup(child);
      children.delete(child);
      resolve(code ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 9));
    });
  });
}

function drain(stream: Readable, capture: OutputCapture): Promise<void> {
  return new Promise((resolve) => {
    stream.on('data', (chunk: Buffer) => capture.add(chunk));
    stream.on('error', () => resolve());
    stream.on('close', () => resolve());
  });
}
