import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, lstatSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CommandLine, Pipeline, SimpleCommand } from '../../policies/commands/command.ts';
import { usualLimits } from '../../policies/limits.ts';
import type { SandboxLimits } from '../../policies/limits.ts';
import type { Redactor } from '../../policies/secrets/redaction.ts';
import { createControlGroup } from './control-groups.ts';
import { toReadingCover, toWritingCover } from './cover.ts';
import type { Cover } from './cover.ts';
import { openGitGuard } from './git/guard.ts';
import { findRiskySettings } from './git/git-settings.ts';
import type { Authorize } from '../files/files.ts';
import { OutputCapture } from './output.ts';
import type { Captured } from './output.ts';
import { makePipes, readPipe } from './pipes.ts';
import type { PipeEnds } from './pipes.ts';
import type { Sandbox } from './sandbox.ts';
import { openRedirects } from './redirects.ts';
import type { Target, Wiring } from './redirects.ts';
import { killGroup, startProcess } from './start.ts';
import { killMarked } from './strays.ts';
import { surveyorOf } from './survey.ts';
import type { Guard } from './survey.ts';
import { memoryExcess, watchCommand } from './watch.ts';
import { PathRefused, inside, walk } from '../files/walk.ts';

export interface CommandOptions {
  /** Absolute, free of links. */
  readonly root: string;
  readonly sandbox: Sandbox;
  readonly timeoutMs: number;
  /** Of the output, how much is kept as a whole. */
  readonly maxOutputBytes: number;
  readonly signal: AbortSignal;
  readonly guard: Guard;
  /** Of what the guard watches, what is read-only for commands: what could not be put back. Nothing if absent. */
  readonly isLocked?: (path: string) => boolean;
  /** The usual ones if absent. */
  readonly limits?: SandboxLimits;
  /** True for what only reads: nothing in the workspace can be changed, but by redirections. */
  readonly readOnly?: boolean;
  /** Takes secrets out of the output; by their form if absent. */
  readonly redactor?: Redactor;
  /** For outputs too large for memory; created when needed. */
  readonly spillDir: string;
  readonly authorize: Authorize;
  /** Puts in what the policy wants every call of a program to have. */
  readonly prepareArgv?: (argv: readonly string[]) => readonly string[];
  /** Absolute folders of more programs, shown read-only. */
  readonly toolchain?: readonly string[];
  /** For commands that get the network: who serves the way out, undefined for those without. Only in a sandbox. */
  readonly serveNetwork?: (argv: readonly string[]) => ((link: Duplex) => void) | undefined;
  /** Set in the environment of every process, for whoever must find them later; commands in a sandbox do not see it. */
  readonly marks?: Readonly<Record<string, string>>;
  /** Called right before each process; what it throws ends the whole line. */
  readonly beforeStart?: () => void;
  /** Output as it comes; the chunk is only good until this returns. */
  readonly onOutput?: (chunk: Buffer) => void;
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

interface Running {
  readonly options: CommandOptions;
  readonly sandbox: Exclude<Sandbox, { kind: 'unavailable' }>;
  readonly capture: OutputCapture;
  /** Where every process puts what is to be captured, so that it arrives in order. */
  readonly output: number;
  readonly children: Set<ChildProcess>;
  readonly stop: AbortSignal;
  readonly mark: string;
  readonly limits: SandboxLimits;
  /** For the processes started next; `together` when there are several. */
  readonly cover: (together: boolean) => Promise<Cover>;
}

/** A person may add a file with secrets at any time; what commands themselves make is seen at once. */
const surveyAgeMs = 5_000;

/** What a process may leave in the pipe after it has ended; longer only if somebody else holds it open. */
const graceMs = 1_000;
const markName = 'DEV_AGENT_COMMAND';

/**
 * Runs a parsed command line without a shell: the processes, pipes and files are exactly those of the parse. Each process has
 * a sandbox and a process group of its own; on time-out or abort the groups are killed, and nothing survives.
 * @throws SandboxUnavailable; the reason of `signal` when it fires; PathRefused for a folder or redirection that is not allowed.
 */
export async function runCommandLine(
  line: CommandLine,
  options: CommandOptions,
): Promise<CommandOutcome> {
  const { sandbox, timeoutMs, signal, spillDir, onOutput } = options;
  if (sandbox.kind === 'unavailable')
    throw new SandboxUnavailable(`${sandbox.reason} ${sandbox.fix}`);
  signal.throwIfAborted();
  if (!existsSync(spillDir)) await mkdir(spillDir, { recursive: true, mode: 0o700 });
  const surveyor = surveyorOf(options.root, options.guard);
  const [pipe] = await makePipes(1, spillDir);
  const started = performance.now();
  const late = AbortSignal.timeout(timeoutMs);
  const spill = join(spillDir, `${randomUUID()}.out`);
  const capture = new OutputCapture(options.maxOutputBytes, spill, undefined, options.redactor);
  const { read, write: output } = pipe as PipeEnds;
  let fault: unknown;
  const reader = readPipe(read, {
    take(chunk) {
      try {
        if (fault === undefined) capture.add(chunk);
        onOutput?.(chunk);
      } catch (error) {
        // Such as a full disk: the command is stopped, and the error is the caller's.
        fault = error;
        killAll();
      }
    },
    isFull: () => capture.isFull && onOutput === undefined,
    takeRest: (bytes, tail) => capture.skip(bytes, tail),
    tailBytes: capture.tailBytes,
  });
  const stop = AbortSignal.any([signal, late]);
  const survey = await surveyor.look(surveyAgeMs);
  const risky = await findRiskySettings(options.root, survey.gitFolders);
  const locked = survey.watched.filter((path) => options.isLocked?.(path) === true);
  // What cannot be listed cannot be judged afterwards either.
  const guarded = [...survey.guarded, ...locked, ...survey.closed.filter((path) => path !== '')];
  const closed = { ...survey, guarded };
  const mark = randomUUID();
  const limits = options.limits ?? usualLimits;
  const groups = sandbox.kind === 'bubblewrap' ? sandbox.files.controlGroups : undefined;
  const group = groups === undefined ? undefined : createControlGroup(groups, limits);
  const children = new Set<ChildProcess>();
  const guard =
    options.readOnly === true && !isRedirected(line)
      ? undefined
      : await openGitGuard({
          root: options.root,
          folder: sandbox.kind === 'bubblewrap' ? sandbox.files.gitFolders : `${spillDir}-git`,
          canMount: sandbox.kind === 'bubblewrap',
        });
  const cover = async (together: boolean): Promise<Cover> =>
    guard === undefined || options.readOnly === true
      ? toReadingCover(closed, risky, sandbox)
      : toWritingCover(closed, risky, await guard.cover(), together);
  const running: Running = {
    options,
    sandbox,
    capture,
    output,
    children,
    stop,
    mark,
    limits,
    cover,
  };
  const killAll = (): void => {
    for (const child of children) killGroup(child);
  };
  let excess: string | undefined;
  const watch = watchCommand({
    root: options.root,
    limits,
    group,
    *pids() {
      for (const { pid } of children) if (pid !== undefined) yield pid;
    },
    end(why) {
      excess = why;
      killAll();
    },
  });
  stop.addEventListener('abort', killAll);
  let finished = false;
  try {
    const exitCode = await runPipelines(
      toPipelines(line),
      running,
      () => fault !== undefined || excess !== undefined,
    );
    finished = true;
    if (sandbox.kind === 'none') await killMarked(markName, mark);
    return await collect(exitCode);
  } catch (error) {
    killAll();
    if (!finished) closeSync(output);
    reader.close();
    if (!finished) {
      await killMarked(markName, mark);
      await guard?.settle();
    }
    capture.discard();
    throw error;
  } finally {
    guard?.close();
    stop.removeEventListener('abort', killAll);
    watch.stop();
    group?.close();
  }

  /** What the sandbox's own end leaves alive for a moment could still write. */
  async function settleGit(isKilled: boolean): Promise<void> {
    if (guard === undefined) return;
    if (isKilled) await killMarked(markName, mark);
    const lines = await guard.settle();
    // What the command itself has made is to be known to the next one.
    await surveyor.look();
    if (lines.length > 0) capture.add(Buffer.from(renderNotKept(lines)));
  }

  async function collect(exitCode: number): Promise<CommandOutcome> {
    closeSync(output);
    const tired = new AbortController();
    await Promise.race([reader.ended, sleep(graceMs, undefined, { signal: tired.signal })]);
    tired.abort();
    reader.close();
    if (fault !== undefined) throw fault;
    // The kernel may have been quicker than the watch.
    if (group?.ranOutOfMemory() === true) excess ??= memoryExcess(limits);
    if (excess !== undefined)
      capture.add(Buffer.from(`\n[dev-agent ended the command: ${excess}]\n`));
    await settleGit(stop.aborted || excess !== undefined);
    signal.throwIfAborted();
    return {
      ...capture.end(),
      exitCode: late.aborted ? 124 : exitCode,
      timedOut: late.aborted,
      ms: Math.round(performance.now() - started),
    };
  }
}

const maxNotKept = 20;

function renderNotKept(lines: readonly string[]): string {
  const more = lines.length > maxNotKept ? [`and ${lines.length - maxNotKept} more`] : [];
  const text = [...lines.slice(0, maxNotKept), ...more].map((line) => `  ${line}\n`).join('');
  return `\n[dev-agent: some changes this command made to git's own files were dropped or renamed to .disarmed:\n${text}]\n`;
}

/** Files may be written to by redirections, whatever the sandbox allows. */
const isRedirected = (line: CommandLine): boolean =>
  line.kind !== 'plain' ||
  line.pipelines.some(({ commands }) => commands.some(({ redirects }) => redirects.length > 0));

/** Text no parse stands behind goes to a shell as it is, in the same sandbox. */
function toPipelines(line: CommandLine): readonly Pipeline[] {
  if (line.kind === 'plain') return line.pipelines;
  const bash = existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh';
  const command = { argv: [bash, '-c', line.text], redirects: [] };
  return [{ when: 'first', cwd: line.cwd, commands: [command] }];
}

async function runPipelines(
  pipelines: readonly Pipeline[],
  running: Running,
  isBroken: () => boolean,
): Promise<number> {
  let exitCode = 0;
  for (const pipeline of pipelines) {
    if (running.stop.aborted || isBroken()) break;
    if (pipeline.when === 'and' && exitCode !== 0) continue;
    if (pipeline.when === 'or' && exitCode === 0) continue;
    exitCode = await runPipeline(pipeline, running);
  }
  return exitCode;
}

/** Where a command starts: the folder `cwd` really is, after links. @throws PathRefused */
const toFolder = (root: string, cwd: string): string =>
  walk(root, cwd, false, ({ parent, leaf, path }) => {
    if (lstatSync(inside(parent, leaf)).isDirectory()) return path;
    throw new PathRefused('not-regular', `${cwd} is not a folder, so no command can run in it.`);
  });

/** Starts every process of a pipeline, connected by the kernel; the exit code is the last one's. */
async function runPipeline({ cwd, commands }: Pipeline, running: Running): Promise<number> {
  const { root, authorize, spillDir } = running.options;
  const folder = toFolder(root, cwd);
  const links = commands.length === 1 ? [] : await makePipes(commands.length - 1, spillDir);
  const cover = await running.cover(commands.length > 1);
  const open = new Set(links.flatMap(({ read, write }) => [read, write]));
  const close = (fd: number | undefined): void => {
    if (fd !== undefined && open.delete(fd)) closeSync(fd);
  };
  const exits: Promise<number>[] = [];
  try {
    for (const [index, { argv, redirects, variables }] of commands.entries()) {
      const last = index === commands.length - 1;
      const wiring = openRedirects(redirects, { root, cwd: folder, authorize, last });
      for (const fd of wiring.opened) open.add(fd);
      const [before, after] = [links[index - 1]?.read, links[index]?.write];
      exits.push(
        startOne({ argv, variables }, { cwd: folder, cover, wiring, before, after }, running),
      );
      // The child has its own; ours must go, or a reader never sees the end and a writer never that nobody reads.
      for (const fd of [before, after, ...wiring.opened]) close(fd);
    }
  } catch (error) {
    for (const child of running.children) killGroup(child);
    throw error;
  } finally {
    for (const fd of open) close(fd);
  }
  return (await Promise.all(exits)).at(-1) ?? 0;
}

interface Surroundings {
  readonly cwd: string;
  readonly cover: Cover;
  readonly wiring: Wiring;
  readonly before: number | undefined;
  readonly after: number | undefined;
}

function startOne(
  { argv, variables = [] }: Pick<SimpleCommand, 'argv'> & { variables: SimpleCommand['variables'] },
  { cwd, cover, wiring, before, after }: Surroundings,
  running: Running,
): Promise<number> {
  const { options, sandbox, output, capture, mark, limits } = running;
  const { root, prepareArgv, serveNetwork, toolchain, readOnly = false } = options;
  const toOutput = (target: Target): number | 'ignore' => {
    if (target === 'capture') return output;
    return target === 'pipe' ? (after ?? output) : target;
  };
  options.beforeStart?.();
  const prepared = prepareArgv?.(argv) ?? argv;
  const settings = variables.map(({ name, value }) => `${name}=${value}`);
  try {
    const child = startProcess({
      argv: settings.length === 0 ? prepared : ['env', ...settings, ...prepared],
      sandbox,
      view: { root, cwd, ...cover, readOnly, tmpBytes: limits.tmpBytes, toolchain },
      limits,
      serve: serveNetwork?.(argv),
      stdio: [wiring.input ?? before ?? 'ignore', toOutput(wiring.out), toOutput(wiring.err)],
      marks: { [markName]: mark, ...options.marks },
    });
    if (wiring.text !== undefined) {
      // A command that does not read its input is no failure.
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(wiring.text);
    }
    return waitForExit(child, running);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'E2BIG') throw error;
    const bytes = argv.reduce((sum, word) => sum + Buffer.byteLength(word), 0);
    const advice = 'Write the text to a file and pass the file instead.';
    capture.add(
      Buffer.from(`${argv[0] ?? ''}: arguments of ${bytes} bytes are too long. ${advice}\n`),
    );
    return Promise.resolve(126);
  }
}

function waitForExit(child: ChildProcess, { children, stop }: Running): Promise<number> {
  children.add(child);
  if (stop.aborted) killGroup(child);
  return new Promise((resolve, reject) => {
    child.on('error', (error) => {
      children.delete(child);
      reject(error);
    });
    child.on('exit', (code, signal) => {
      killGroup(child);
      children.delete(child);
      resolve(code ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 9));
    });
  });
}
