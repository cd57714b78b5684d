/** A program on a real terminal, tmux's: what stands on its screen is read, and keys are typed as at a keyboard. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

export interface TmuxOptions {
  readonly columns: number;
  readonly rows?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface Tmux {
  /** The rows of the window, without trailing blanks. */
  screen(): string;
  /** The same with what has scrolled out of it, rows of one line joined. */
  scrollback(): string;
  /** Types text as it is. */
  type(text: string): void;
  /** Presses keys by tmux's names, such as `Enter` or `C-z`. */
  press(...keys: readonly string[]): void;
  /** Resizes the window, and gives the program time to hear of it. */
  resize(columns: number, rows?: number): Promise<void>;
  /** Writes to a file what programs send to the terminal from now on, as it is. */
  record(file: string): void;
  /** Waits until the scrollback matches. */
  waitFor(pattern: RegExp, withinMs?: number): Promise<void>;
  /** Waits until the window matches. */
  waitForScreen(pattern: RegExp, withinMs?: number): Promise<void>;
  /** Waits for the program's end and returns its exit code. */
  ended(withinMs?: number): Promise<number>;
  close(): void;
}

const patienceMs = 20_000;
const lookMs = 50;
const heardMs = 300;

/** Keeps the window after the program, with its exit code: tmux forgets some ends. */
const staying = ['sh', '-c', '"$@"; printf "[ended with %s]" $?; read _', 'sh'];
const endMark = /\[ended with (\d+)\]/;

function findTmux(): boolean {
  try {
    execFileSync('tmux', ['-V'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** For a test's `skip`: what is missing where there is no tmux. */
export const noTmux = findTmux() ? false : 'tmux is not installed';

const trim = (text: string): string => text.replaceAll(/[ \t]+$/gm, '').trimEnd();

export function openTmux(program: readonly string[], options: TmuxOptions): Tmux {
  const { columns, rows = 24, env = {}, cwd = process.cwd() } = options;
  const folder = mkdtempSync(join(tmpdir(), 'agent-tmux-'));
  const call = (...args: readonly string[]): string =>
    execFileSync('tmux', ['-u', '-S', join(folder, 'socket'), '-f', '/dev/null', ...args], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], LANG: 'C.UTF-8' },
    });
  const variables = Object.entries(env).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
  const size = ['-x', String(columns), '-y', String(rows)];
  call('new-session', '-d', '-c', cwd, ...size, ...variables, ...staying, ...program);

  const screen = (): string => trim(call('capture-pane', '-p'));
  const scrollback = (): string => trim(call('capture-pane', '-p', '-J', '-S', '-'));
  const waitUntil = async (
    what: string,
    isSo: () => boolean,
    withinMs = patienceMs,
  ): Promise<void> => {
    for (const deadline = Date.now() + withinMs; !isSo(); await setTimeout(lookMs))
      if (Date.now() > deadline)
        throw new Error(`No ${what} within ${withinMs} ms. The terminal:\n${scrollback()}`);
  };
  return {
    screen,
    scrollback,
    type: (text) => void call('send-keys', '-l', text),
    press: (...keys) => void call('send-keys', ...keys),
    async resize(width, height = rows) {
      call('resize-window', '-x', String(width), '-y', String(height));
      await setTimeout(heardMs);
    },
    record: (file) => void call('pipe-pane', `cat >> '${file}'`),
    waitFor: (pattern, withinMs) =>
      waitUntil(String(pattern), () => pattern.test(scrollback()), withinMs),
    waitForScreen: (pattern, withinMs) =>
      waitUntil(String(pattern), () => pattern.test(screen()), withinMs),
    async ended(withinMs) {
      await waitUntil('end of the program', () => endMark.test(screen()), withinMs);
      return Number(endMark.exec(screen())?.[1]);
    },
    close() {
      try {
        call('kill-server');
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}
