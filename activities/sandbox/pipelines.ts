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
  /** How much of the output is kept whole. */
  readonly maxOutputBytes: number;
  readonly signal: AbortSignal;
  readonly guard: Guard;
  /** Which watched paths are read-only, because they could not be restored. None if absent. */
  readonly isLocked?: (path: string) => boolean;
  /** `usualLimits` if absent. */
  readonly limits?: SandboxLimits;
  /** For readers: nothing in the workspace can change, except through redirections. */
  readonly readOnly?: boolean;
  /** Redacts the output; by form only if absent. */
  readonly redactor?: Redactor;
  /** For outputs too large for memory; created on demand. */
  readonly spillDir: string;
  readonly authorize: Authorize;
  /** Inserts the arguments the policy adds to every call of a program. */
  readonly prepareArgv?: (argv: readonly string[]) => readonly string[];
  /** Absolute folders of additional programs, shown read-only. */
  readonly toolchain?: readonly string[];
  /** Who serves a command's way out to the network; undefined: no network. Only in a sandbox. */
  readonly serveNetwork?: (argv: readonly string[]) => ((link: Duplex) => void) | undefined;
  /** Set in the environment of every process, so that it can be found later; sandboxed commands do not see it. */
  readonly marks?: Readonly<Record<string, string>>;
  /** Called right before each process; throwing ends the whole line. */
  readonly beforeStart?: () => void;
  /** Output as it arrives; a chunk is valid only during the call. */
  readonly onOutput?: (chunk: Buffer) => void;
}

/** A running command line. */
export interface Running {
  readonly options: CommandOptions;
  readonly sandbox: Exclude<Sandbox, { kind: 'unavailable' }>;
  readonly capture: OutputCapture;
  /** Shared by all processes, so that captured output arrives in order. */
  readonly output: number;
  readonly children: Set<ChildProcess>;
  readonly stop: AbortSignal;
  readonly mark: string;
  readonly limits: SandboxLimits;
  /** For the next processes; `together` if there are several. */
  readonly cover: (together: boolean) => Promise<Cover>;
}

/** Set in the environment of every process, so that none is missed when the command must end. */
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

/** The folder where a command starts, links resolved. @throws PathRefused */
const toFolder = (root: string, cwd: string): string =>
  walk(root, cwd, false, ({ parent, leaf, path }) => {
    if (lstatSync(inside(parent, leaf)).isDirectory()) return path;
    throw new PathRefused('not-regular', `${cwd} is not a folder, so no command can run in it.`);
  });

/** Starts all processes of a pipeline, connected by the kernel; the exit code is the last one's. */
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
      // The child has its own. Unless ours are closed, a reader never sees the end, and a writer never notices that
      // nobody reads.
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
      // A command need not read its input.
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
