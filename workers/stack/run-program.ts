import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/** Runs a program in this process's terminal and exits as it does. */
export function runProgram(file: string, args: readonly string[], env = process.env): void {
  const child = spawn(file, args, { stdio: 'inherit', env });
  // Ctrl-C reaches the program directly; it decides when to end.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('error', (error) => {
    process.stderr.write(`${file}: ${error.message}\n`);
    process.exit(126);
  });
  child.on('exit', (code, signal) =>
    process.exit(code ?? 128 + constants.signals[signal ?? 'SIGKILL']),
  );
}
