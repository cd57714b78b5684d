import { execFile } from 'node:child_process';
import type { ExecFileOptions } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface ExecuteOptions extends ExecFileOptions {
  /** Of what it prints. */
  readonly encoding?: BufferEncoding;
  /** What it reads. */
  readonly input?: string | Buffer;
}

/**
 * Runs a program of ours to its end; what a model asked for is started by start.ts. Rejects with what `execFile` gives:
 * `code` is the exit code, or why it could not be started or went on no longer.
 */
export async function execute(
  file: string,
  args: readonly string[],
  { input, encoding = 'utf8', ...options }: ExecuteOptions = {},
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const running = run(file, args, { ...options, encoding });
  // Who does not read to the end is not at fault.
  running.child.stdin?.on('error', () => undefined);
  running.child.stdin?.end(input);
  return await running;
}
