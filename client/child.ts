import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A child program's exit and output. */
export interface ChildResult {
  /** Null if a signal killed it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a worker-side program in its own process, so that the CLI contains none of its code. `file` is relative to the
 * project, such as `workers/replay.ts`; `input` goes to its stdin.
 */
export function runProject(
  file: string,
  args: readonly string[],
  options: { readonly input?: string } = {},
): Promise<ChildResult> {
  // None of these programs asks a model, and whatever runs tools must never see the key.
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
    // Ctrl-C reaches the child directly; a program that kills us must not leave it behind.
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
