import { APIConnectionError, APIConnectionTimeoutError, APIError, APIUserAbortError } from 'openai';

export type FailureKind =
  | 'unreachable'
  | 'rate-limited'
  | 'server'
  | 'timeout'
  | 'cut'
  | 'auth'
  | 'not-found'
  | 'bad-request'
  | 'context-overflow';

/** A model server did not give an answer. Named for what to do: wait, try again, or tell the operator. */
export class ModelFailure extends Error {
  override readonly name = 'ModelFailure';
  readonly kind: FailureKind;
  readonly address: string;
  readonly retryAfterMs?: number;

  constructor(kind: FailureKind, address: string, message: string, retryAfterMs?: number) {
    super(message);
    this.kind = kind;
    this.address = address;
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs;
  }
}

const longestRetryAfterMs = 600_000;

/** `retry-after-ms` beats `retry-after`, which is seconds or a date (RFC 9110, 10.2.3). At most 10 minutes. */
export function readRetryAfter(headers: Headers | undefined, now: number): number | undefined {
  const ms = Number.parseFloat(headers?.get('retry-after-ms') ?? '');
  if (Number.isFinite(ms) && ms >= 0) return Math.min(ms, longestRetryAfterMs);
  const text = headers?.get('retry-after');
  if (text === null || text === undefined) return undefined;
  const seconds = Number.parseFloat(text);
  const wait = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(text) - now;
  return Number.isFinite(wait) ? Math.min(Math.max(wait, 0), longestRetryAfterMs) : undefined;
}

const overflow =
  /context.{0,20}(length|window|size)|maximum context|n_keep|too many tokens|prompt is too long/i;

const kindOf = (status: number, message: string): FailureKind => {
  if (status === 401 || status === 403) return 'auth';
  if (status === 404) return 'not-found';
  if (status === 429) return 'rate-limited';
  if (status === 408 || status === 409 || status >= 500)
    return overflow.test(message) ? 'context-overflow' : 'server';
  return overflow.test(message) ? 'context-overflow' : 'bad-request';
};

const advice: Partial<Record<FailureKind, string>> = {
  auth: 'Set OPENAI_API_KEY to a key this server accepts.',
  'not-found':
    'Set AGENT_MODEL to a model the server has, or OPENAI_BASE_URL to the address that ends in /v1.',
  'context-overflow':
    'Load the model with a larger context (LM Studio: lms load <model> --context-length 32768).',
};

/** Puts whatever the client threw into our words. Aborts are passed on as they are. */
export function toModelFailure(error: unknown, address: string): unknown {
  if (error instanceof ModelFailure || error instanceof APIUserAbortError) return error;
  if (error instanceof APIConnectionTimeoutError) {
    return new ModelFailure(
      'timeout',
      address,
      `The model server at ${address} did not answer in time.`,
    );
  }
  if (error instanceof APIConnectionError) {
    const reason = reasonOf(error);
    // Refused or unknown: nobody is there. Reset: somebody was, and may be again at once.
    const kind = /ECONNRESET|EPIPE|socket|terminated|closed/i.test(reason) ? 'cut' : 'unreachable';
    return new ModelFailure(
      kind,
      address,
      `The model server at ${address} is not reachable (${reason}).`,
    );
  }
  if (error instanceof APIError && typeof error.status === 'number') {
    const text = error.message.slice(0, 500);
    const kind = kindOf(error.status, text);
    const more = advice[kind];
    return new ModelFailure(
      kind,
      address,
      `The model server at ${address} answered ${text}.${more === undefined ? '' : ` ${more}`}`,
      readRetryAfter(error.headers, Date.now()),
    );
  }
  if (error instanceof Error) {
    // A stream that breaks off or carries something else than events.
    return new ModelFailure(
      'cut',
      address,
      `The answer of ${address} broke off: ${reasonOf(error)}.`,
    );
  }
  return error;
}

function reasonOf(error: Error): string {
  const { cause } = error;
  if (cause instanceof Error) {
    const { code } = cause as NodeJS.ErrnoException;
    return code ?? reasonOf(cause);
  }
  return (error as NodeJS.ErrnoException).code ?? error.message;
}
