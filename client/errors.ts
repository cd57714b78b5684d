/** What kind of failure it is, and the exit code with which processes of ours say the same. */
export const exitCodes = {
  failed: 1,
  /** What was asked for cannot be done: another request could. */
  invalid: 2,
  unavailable: 69,
  /** Somebody else has it: the same request may succeed later. */
  busy: 75,
  configuration: 78,
} as const;

export type FailureKind = keyof typeof exitCodes;

/** A mistake or state that whoever asked can do something about: the message says what. */
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

/** The kind a process of ours meant by its exit code. */
export const toFailureKind = (exitCode: number | null): FailureKind =>
  (Object.keys(exitCodes) as FailureKind[]).find((kind) => exitCodes[kind] === exitCode) ??
  'failed';
