import type { ChildProcess } from 'node:child_process';
import { closeSync, lstatSync } from 'node:fs';
import { constants } from 'node:os';
import type { Duplex } from 'node:stream';
import type { Pipeline, SimpleCommand } from '../../policies/commands/command.ts';
import type { SandboxLimits } from '../../policies/limits.ts';
import type { Redactor } from '../../policies/secrets/redaction.ts';
import type { Cover } from './cover.ts';
import type { Authorize } from '../files/files.ts';
import type { OutputCapture } from './output.ts';
import { makePipes } from './pipes.ts';
import type { Sandbox } from './sandbox.ts';
import { openRedirects } from './redirects.ts';
import type { Target, Wiring } from './redirects.ts';
import { killGroup, startProcess } from './start.ts';
import { PathRefused, inside, walk } from '../files/walk.ts';
import type { Guard } from './guard.ts';

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

/** One command line at work. */
export interface Running {
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

/** In the environment of every process, so that none is missed when the command has to end. */
export const markName = 'DEV_AGENT_COMMAND';

export async function runPipelines(
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

interface ProcessContext {
  readonly cwd: string;
  readonly cover: Cover;
  readonly wiring: Wiring;
  readonly before: number | undefined;
  readonly after: number | undefined;
}

function startOne(
  { argv, variables = [] }: Pick<SimpleCommand, 'argv'> & { variables: SimpleCommand['variables'] },
  { cwd, cover, wiring, before, after }: ProcessContext,
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
