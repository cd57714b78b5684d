import { spawn } from 'node:child_process';
import { failpoint } from '../../audit/record/failpoint.ts';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { behindBridge, commandEnvironment, toBubblewrapArguments } from './bubblewrap.ts';
import type { Sandbox, SandboxView } from './bubblewrap.ts';
import type { SandboxLimits } from '../../policies/limits.ts';

/** A descriptor of ours, nothing, or (input only) text to come. */
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
  /** Takes this end of the only way out of the sandbox's network. Absent: there is none. */
  readonly serve?: ((link: Duplex) => void) | undefined;
  /** In the environment of every process, so that what is left behind can be found; of a sandbox, in its own only. */
  readonly marks?: Readonly<Record<string, string>>;
}

/** Blocks of `ulimit -f`. */
const blockBytes = 512;

/**
 * Limits of the kernel for each process. Not of address space: V8, Go and sanitizers reserve far more than they use. In a user
 * namespace of its own only the command's processes count; the letter for that depends on the shell.
 */
function toLimits(limits: SandboxLimits, confined: boolean): string {
  const { cpuSeconds, fileBytes, openFiles, processes } = limits;
  const common = `ulimit -c 0; ulimit -n ${openFiles}; ulimit -t ${cpuSeconds}; ulimit -f ${Math.ceil(fileBytes / blockBytes)};`;
  const own = `{ ulimit -u ${processes} || ulimit -p ${processes}; } 2>/dev/null;`;
  return confined ? `${common} ${own}` : common;
}

/** Tells the kernel to end the command first when memory runs out; what it starts inherits that. */
function endFirst(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, '1000');
  } catch {
    // Ended already, or not Linux.
  }
}

const orNotFound =
  'command -v "$1" >/dev/null 2>&1 || { printf "%s: command not found\\n" "$1" >&2; exit 127; };';

/**
 * Starts one process, in a process group of its own. The script around it is constant, the command itself is never shell
 * text. `spawn` and not execa: the filter, the arguments and both ends of pipes are raw descriptors, and a killed group is
 * not an error here. @throws the system's error when it cannot be started at all (E2BIG).
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
    // Arguments through a descriptor: bubblewrap's command line can be read inside the sandbox.
    const child = spawn(program, ['--args', '4', '--', ...command], {
      env: { ...marks },
      detached: true,
      stdio: [...stdio, filter ?? 'ignore', 'pipe', ...(bridged ? ['pipe' as const] : [])],
    });
    // Before bubblewrap has its arguments it starts nothing, and inside /proc is read-only.
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

/** The whole group: a killed `npm test` would leave its children running. In a sandbox everything goes with it. */
export function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
