import { ClientError, exitCodes } from '../client/errors.ts';

/** A mistake or state the person at the terminal can do something about: one message, no stack trace. */
export class CliError extends Error {
  override readonly name = 'CliError';
  /** See `exitCodes` in workflows/contract.ts; 2 usage, 69 unavailable, 78 configuration besides. */
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The command line itself is wrong: exit 2. */
export const usageError = (message: string): CliError => new CliError(message, 2);

/** Undefined for a bug. An error of another room, such as ConfigError of config/, carries its own exit code. */
export function toExitCode(error: unknown): number | undefined {
  if (error instanceof ClientError) return exitCodes[error.kind];
  const code = (error as { exitCode?: unknown } | null)?.exitCode;
  return error instanceof Error && typeof code === 'number' ? code : undefined;
}
