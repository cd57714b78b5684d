import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CommandLine, Pipeline } from '../../policies/commands/command.ts';
import { usualLimits } from '../../policies/limits.ts';
import { createControlGroup } from './control-groups.ts';
import { toReadingCover, toWritingCover } from './cover.ts';
import type { Cover } from './cover.ts';
import { openGitGuard } from './git/guard.ts';
import { findRiskySettings } from './git/git-settings.ts';
import { OutputCapture } from './output.ts';
import type { Captured } from './output.ts';
import { makePipes, readPipe } from './pipes.ts';
import type { PipeEnds } from './pipes.ts';
import { markName, runPipelines } from './pipelines.ts';
import type { CommandOptions, Running } from './pipelines.ts';
import { killGroup } from './start.ts';
import { killMarked } from './orphans.ts';
import { scannerOf } from './scan.ts';
import { memoryExcess, watchCommand } from './watch.ts';

export interface CommandOutcome extends Captured {
  /** As in a shell: 124 on timeout, 127 not found, 128 + n on signal n. */
  readonly exitCode: number;
  readonly timedOut: boolean;
  readonly ms: number;
}

/** Commands cannot be confined here, so none is run. */
export class SandboxUnavailable extends Error {
  override readonly name = 'SandboxUnavailable';
}

/** A person may add a file with secrets at any time; what commands create is seen at once. */
const scanAgeMs = 5_000;

/** Time for a process's last output after its exit; applies only if someone else holds the pipe open. */
const graceMs = 1_000;

/**
 * Runs a parsed command line without a shell: exactly the processes, pipes and files of the parse. Each process has its
 * own sandbox and process group; on timeout or abort the groups are killed, and nothing survives. @throws
 * SandboxUnavailable; the reason of `signal` when it fires; PathRefused for a forbidden folder or redirection.
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
  const scanner = scannerOf(options.root, options.guard);
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
        // Such as a full disk: stop the command and report the error to the caller.
        fault = error;
        killAll();
      }
    },
    isFull: () => capture.isFull && onOutput === undefined,
    takeRest: (bytes, tail) => capture.skip(bytes, tail),
    tailBytes: capture.tailBytes,
  });
  const stop = AbortSignal.any([signal, late]);
  const scan = await scanner.look(scanAgeMs);
  const risky = await findRiskySettings(options.root, scan.gitFolders);
  const locked = scan.watched.filter((path) => options.isLocked?.(path) === true);
  // What cannot be listed cannot be judged afterwards either.
  const guarded = [...scan.guarded, ...locked, ...scan.closed.filter((path) => path !== '')];
  const closed = { ...scan, guarded };
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

  /** What the dying sandbox leaves alive for a moment could still write. */
  async function settleGit(isKilled: boolean): Promise<void> {
    if (guard === undefined) return;
    if (isKilled) await killMarked(markName, mark);
    const lines = await guard.settle();
    // The next command must know what this one created.
    await scanner.look();
    if (lines.length > 0) capture.add(Buffer.from(renderNotKept(lines)));
  }

  async function collect(exitCode: number): Promise<CommandOutcome> {
    closeSync(output);
    const tired = new AbortController();
    await Promise.race([reader.ended, sleep(graceMs, undefined, { signal: tired.signal })]);
    tired.abort();
    reader.close();
    if (fault !== undefined) throw fault;
    // The kernel may have been faster than the watch.
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

/** Redirections may write to files, whatever the sandbox allows. */
const isRedirected = (line: CommandLine): boolean =>
  line.kind !== 'plain' ||
  line.pipelines.some(({ commands }) => commands.some(({ redirects }) => redirects.length > 0));

/** Unparsed text goes to a shell as it is, in the same sandbox. */
function toPipelines(line: CommandLine): readonly Pipeline[] {
  if (line.kind === 'plain') return line.pipelines;
  const bash = existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh';
  const command = { argv: [bash, '-c', line.text], redirects: [] };
  return [{ when: 'first', cwd: line.cwd, commands: [command] }];
}
