/** A program on a real terminal, as a person at a keyboard has it. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';

const script = fileURLToPath(new URL('terminal.py', import.meta.url));

export interface TerminalOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly rows?: number;
  readonly columns?: number;
}

export interface TerminalSession {
  /** Everything written so far, without escape sequences. */
  text(): string;
  type(keys: string): void;
  /** Waits until `text` from `from` on matches; returns where the match ends. */
  waitFor(pattern: RegExp, from?: number): Promise<number>;
  readonly ended: Promise<number | null>;
  kill(): void;
}

const patienceMs = 15_000;

export function openTerminal(
  program: readonly string[],
  { env, cwd, rows = 24, columns = 80 }: TerminalOptions = {},
): TerminalSession {
  const child = spawn('python3', [script, String(rows), String(columns), ...program], {
    cwd,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], TERM: 'xterm', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let written = '';
  const waiting = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    written += chunk;
    for (const each of waiting) each();
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const text = (): string => stripVTControlCharacters(written).replaceAll('\r', '');
  return {
    text,
    ended,
    type: (keys) => void child.stdin.write(keys),
    kill: () => void child.kill(),
    waitFor: (pattern, from = 0) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = pattern.exec(text().slice(from));
          if (found === null) return;
          stop();
          resolve(from + found.index + found[0].length);
        };
        const fail = (why: string): void => {
          stop();
          reject(new Error(`${why} before ${pattern} was on the terminal:\n${text()}`));
        };
        const timer = setTimeout(() => fail(`${patienceMs} ms passed`), patienceMs);
        const stop = (): void => {
          clearTimeout(timer);
          waiting.delete(look);
        };
        waiting.add(look);
        void ended.then((code) => fail(`The program ended with ${code}`));
        look();
      }),
  };
}
