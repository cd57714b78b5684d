import { ClientError, exitCodes } from '../client/errors.ts';

/** Something the user can fix: shown as one message, without a stack trace. */
export class CliError extends Error {
  override readonly name = 'CliError';
  /** See `exitCodes` in workflows/contract.ts; also 2 usage, 69 unavailable, 78 configuration. */
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Invalid command line: exit 2. */
export const usageError = (message: string): CliError => new CliError(message, 2);

/** Undefined for a bug. Errors of other modules, such as ConfigError, carry their own exit code. */
export function toExitCode(error: unknown): number | undefined {
  if (error instanceof ClientError) return exitCodes[error.kind];
  const code = (error as { exitCode?: unknown } | null)?.exitCode;
  return error instanceof Error && typeof code === 'number' ? code : undefined;
}
