import type { ExecFileException } from 'node:child_process';
import { rgPath } from '@vscode/ripgrep';
import { execute } from '../sandbox/execute.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { toBubblewrapArguments } from '../sandbox/sandbox.ts';
import { PathRefused } from './walk.ts';
import { dirname } from 'node:path';

export interface SearchOptions {
  /** Absolute, free of links. */
  readonly root: string;
  /** Relative, already judged and free of links. */
  readonly path: string;
  readonly pattern: string;
  readonly glob?: string;
  /** Globs of files whose content must not be shown. */
  readonly hidden: readonly string[];
  readonly sandbox: Sandbox;
  readonly signal: AbortSignal;
}

const maxBytes = 200_000;
const timeoutMs = 30_000;
const maxPerFile = 200;
const maxColumns = 300;

/**
 * Converts a policy pattern to ripgrep's: there `x/**` excludes x itself, and a name without a slash matches at any
 * depth.
 */
function toExclusions(pattern: string): string[] {
  const anchored = pattern.startsWith('**/') ? pattern : `/${pattern}`;
  const all = anchored.endsWith('/**') ? [anchored.slice(0, -3), anchored] : [anchored];
  return all.flatMap((each) => ['--iglob', `!${each}`]);
}

/**
 * Searches file contents with ripgrep: `path:line:text` lines. Skips ignored files, follows no links, and runs in a
 * sandbox if available. @throws PathRefused for a pattern ripgrep rejects.
 */
export async function searchFiles(options: SearchOptions): Promise<string> {
  const { root, path, pattern, glob, hidden, sandbox, signal } = options;
  const args = [
    '--no-config',
    '--line-number',
    '--no-heading',
    '--color=never',
    '--hidden',
    '--sort=path',
    '--max-count',
    String(maxPerFile),
    '--max-columns',
    String(maxColumns),
    '--max-columns-preview',
    '--no-require-git',
    ...(glob === undefined ? [] : ['--glob', glob]),
    // Last, and of the kind ripgrep applies after every --glob: an exclusion cannot be overridden.
    ...['**/.git/**', ...hidden].flatMap(toExclusions),
    '--regexp',
    pattern,
    '--',
    path,
  ];
  const confined = sandbox.kind === 'bubblewrap';
  const view = {
    root,
    cwd: '.',
    readOnly: true,
    protectedPaths: [],
    hiddenPaths: [],
    toolchain: [dirname(rgPath)],
  };
  const command = confined
    ? [sandbox.program, ...toBubblewrapArguments(sandbox.files, view), '--', rgPath, ...args]
    : [rgPath, ...args];
  const [file = '', ...rest] = command;
  try {
    const { stdout } = await execute(file, rest, {
      cwd: root,
      env: {},
      timeout: timeoutMs,
      maxBuffer: maxBytes,
      signal,
      killSignal: 'SIGKILL',
    });
    return stdout.replace(/\n$/, '');
  } catch (error) {
    signal.throwIfAborted();
    return explain(error as ExecFileException);
  }
}

/** What was found although ripgrep did not end well. @throws PathRefused when nothing was. */
function explain({ code, killed, stdout = '', stderr = '', message }: ExecFileException): string {
  if (code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER')
    return `${stdout}\n[more matches omitted; give a path, a glob or a narrower pattern]`;
  if (killed === true)
    throw new PathRefused(
      'too-large',
      `The search took longer than ${timeoutMs / 1000} s. Give a path or a glob.`,
    );
  // 1: no match. 2 with matches: some files could not be read.
  if (code === 1) return 'No match.';
  if (stdout !== '') return stdout.replace(/\n$/, '');
  const unread = findUnread(stderr);
  if (unread !== undefined) return `No match in the readable files; skipped: ${unread}`;
  throw new PathRefused('invalid', `ripgrep: ${stderr.trim().slice(0, 500) || message}`);
}

/** What ripgrep could not read, if that is its only complaint. */
function findUnread(stderr: string): string | undefined {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  const isOfSystem = lines.length > 0 && lines.every((line) => /\(os error \d+\)$/.test(line));
  return isOfSystem ? lines.join('; ').slice(0, 500) : undefined;
}
