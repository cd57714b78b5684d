import { spawn } from 'node:child_process';
import { failpoint } from '../../audit/record/failpoint.ts';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { behindBridge, commandEnvironment, toBubblewrapArguments } from './bubblewrap.ts';
import type { Sandbox, SandboxView } from './bubblewrap.ts';
import type { SandboxLimits } from '../../policies/limits.ts';

/** One of our descriptors, nothing, or (input only) text. */
export type Stdio = readonly [
  input: number | 'ignore' | 'pipe',
  out: number | 'ignore',
  err: number | 'ignore',
];

export interface Start {
  readonly argv: readonly string[];
  readonly sandbox: Exclude<Sandbox, { kind: 'unavailable' }>;
  readonly view: SandboxView;
  readonly stdio: Stdio;
  readonly limits: SandboxLimits;
  /** Receives our end of the sandbox's only network link. Absent: no network. */
  readonly serve?: ((link: Duplex) => void) | undefined;
  /**
   * Set in the environment of every process, so that orphans can be found; for a sandbox, only on bubblewrap itself.
   */
  readonly marks?: Readonly<Record<string, string>>;
}

/** Block size of `ulimit -f`. */
const blockBytes = 512;

/**
 * Kernel limits for each process. None for address space: V8, Go and sanitizers reserve far more than they use. In its
 * own user namespace only the command's processes count; the option letter depends on the shell.
 */
function toLimits(limits: SandboxLimits, confined: boolean): string {
  const { cpuSeconds, fileBytes, openFiles, processes } = limits;
  const common = `ulimit -c 0; ulimit -n ${openFiles}; ulimit -t ${cpuSeconds}; ulimit -f ${Math.ceil(fileBytes / blockBytes)};`;
  const own = `{ ulimit -u ${processes} || ulimit -p ${processes}; } 2>/dev/null;`;
  return confined ? `${common} ${own}` : common;
}

/** Makes the kernel kill the command first if memory runs out; its children inherit that. */
function endFirst(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, '1000');
  } catch {
    // Already gone, or not Linux.
  }
}

const orNotFound =
  'command -v "$1" >/dev/null 2>&1 || { printf "%s: command not found\\n" "$1" >&2; exit 127; };';

/**
 * Starts one process in its own process group. The wrapper script is constant; the command is never shell text.
 * `spawn`, not execute.ts: the filter, arguments and pipe ends are raw descriptors, and a killed group is not an error here.
 * @throws the system's error if it cannot be started (E2BIG).
 */
export function startProcess(start: Start): ChildProcess {
  const { argv, sandbox, stdio, marks, limits, serve } = start;
  const confined = sandbox.kind === 'bubblewrap';
  const script = [toLimits(limits, confined), orNotFound, 'exec "$@"'].join(' ');
  const bridged = confined && serve !== undefined;
  const view = { ...start.view, network: bridged };
  const command = ['/bin/sh', '-c', script, 'sh', ...(bridged ? behindBridge(argv) : argv)];
  if (!confined) {
    const [file = '', ...rest] = command;
    const env = { ...commandEnvironment(sandbox, view.toolchain), ...marks };
    const child = spawn(file, rest, {
      env,
      cwd: join(view.root, view.cwd),
      detached: true,
      stdio: [...stdio],
    });
    endFirst(child.pid);
    return child;
  }
  const { program, files } = sandbox;
  const filter = files.seccomp === undefined ? undefined : openSync(files.seccomp, 'r');
  try {
    const args = toBubblewrapArguments(files, view, filter === undefined ? undefined : 3);
    // Passed through a descriptor, because bubblewrap's command line is readable inside the sandbox.
    const child = spawn(program, ['--args', '4', '--', ...command], {
      env: { ...marks },
      detached: true,
      stdio: [...stdio, filter ?? 'ignore', 'pipe', ...(bridged ? ['pipe' as const] : [])],
    });
    // bubblewrap starts nothing before it has its arguments, and /proc is read-only inside.
    endFirst(child.pid);
    const pipe = child.stdio[4] as NodeJS.WritableStream | null | undefined;
    pipe?.on('error', () => undefined);
    pipe?.end(args.map((arg) => `${arg}\0`).join(''));
    const link = (child.stdio as readonly unknown[])[5] as Duplex | null | undefined;
    if (link != null) serve?.(link);
    failpoint('spawn.after');
    return child;
  } finally {
    if (filter !== undefined) closeSync(filter);
  }
}

/**
 * Kills the whole group: a killed `npm test` would leave its children running. A sandbox dies with everything in it.
 */
export function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Already gone.
  }
}
