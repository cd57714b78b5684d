/** Kinds of failure, with the exit codes our processes use for them. */
export const exitCodes = {
  failed: 1,
  /** The request cannot be fulfilled; another might. */
  invalid: 2,
  unavailable: 69,
  /** Someone else has it: the same request may succeed later. */
  busy: 75,
  configuration: 78,
} as const;

export type FailureKind = keyof typeof exitCodes;

/** Something the caller can fix: the message says how. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly kind: FailureKind;

  constructor(message: string, kind: FailureKind) {
    super(message);
    this.kind = kind;
  }
}

export const invalid = (message: string): ClientError => new ClientError(message, 'invalid');

export const isInvalid = (error: unknown): error is ClientError =>
  error instanceof ClientError && error.kind === 'invalid';

export const takenId = (run: string): ClientError =>
  invalid(`Run "${run}" exists already. Choose another --id, or look at it: agent show ${run}`);

/** The kind of failure behind a process's exit code. */
export const toFailureKind = (exitCode: number | null): FailureKind =>
  (Object.keys(exitCodes) as FailureKind[]).find((kind) => exitCodes[kind] === exitCode) ??
  'failed';
