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

export const takenId = (run: string): CliError =>
  usageError(`Run "${run}" exists already. Choose another --id, or look at it: agent show ${run}`);

/** An error of another room that carries its own exit code, such as ConfigError of config/. */
export const toExitCode = (error: unknown): number | undefined => {
  const code = (error as { exitCode?: unknown } | null)?.exitCode;
  return error instanceof Error && typeof code === 'number' ? code : undefined;
};
