import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** How a program of ours ended, with what it wrote. */
export interface ChildResult {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program of the worker's side as its own process: the CLI holds none of its code, and it none of the terminal.
 * `file` is relative to the project, such as `workers/replay.ts`; `input` goes to its standard input.
 */
export function runProject(
  file: string,
  args: readonly string[],
  options: { readonly input?: string } = {},
): Promise<ChildResult> {
  // None of these programs asks a model, and what carries out tools must never see the key.
  const { OPENAI_API_KEY: _key, ...withoutKey } = process.env;
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [fileURLToPath(new URL(`../${file}`, import.meta.url)), ...args],
      { env: withoutKey, stdio: 'pipe' },
    );
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (bytes: Buffer) => stdout.push(bytes));
    child.stderr.on('data', (bytes: Buffer) => stderr.push(bytes));
    // Ctrl-C reaches the child by itself; a program that ends us must not leave it behind.
    const end = (): void => void child.kill('SIGTERM');
    process.once('SIGTERM', end);
    child.once('error', reject);
    child.once('close', (code) => {
      process.off('SIGTERM', end);
      resolve({
        code,
        stdout: Buffer.concat(stdout).toString('utf8'),
        stderr: Buffer.concat(stderr).toString('utf8'),
      });
    });
    child.stdin.on('error', () => undefined); // It may end without having read everything.
    child.stdin.end(options.input ?? '');
  });
}
