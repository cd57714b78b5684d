import { APIConnectionError, APIConnectionTimeoutError, APIError, APIUserAbortError } from 'openai';

export type FailureKind =
  | 'unreachable'
  | 'rate-limited'
  | 'server'
  | 'timeout'
  | 'cut'
  | 'malformed'
  | 'auth'
  | 'not-found'
  | 'bad-request'
  | 'context-overflow';

/** A model server gave no answer. The kind says what to do: wait, retry, or tell the operator. */
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

const maxRetryAfterMs = 600_000;

/** `retry-after-ms` beats `retry-after`, which is seconds or a date (RFC 9110, 10.2.3). Capped at 10 minutes. */
export function readRetryAfter(headers: Headers | undefined, now: number): number | undefined {
  const ms = Number.parseFloat(headers?.get('retry-after-ms') ?? '');
  if (Number.isFinite(ms) && ms >= 0) return Math.min(ms, maxRetryAfterMs);
  const text = headers?.get('retry-after');
  if (text === null || text === undefined) return undefined;
  // Not parseFloat, which would read a date starting with its year as seconds.
  const wait = /^[\d.]+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isFinite(wait) ? Math.min(Math.max(wait, 0), maxRetryAfterMs) : undefined;
}

/** The server's address for messages, without any user and password. */
export function toAddress(baseUrl: string): string {
  if (!URL.canParse(baseUrl)) return baseUrl;
  const url = new URL(baseUrl);
  if (url.username === '' && url.password === '') return baseUrl;
  url.username = '';
  url.password = '';
  return url.href;
}

const overflow =
  /context.{0,20}(length|window|size)|maximum context|n_ctx|n_keep|too many tokens|prompt is too long/i;
const unknownAddress =
  /unexpected endpoint|unknown (endpoint|url|path|route)|no such (endpoint|route)/i;

/** Some servers report errors with status 200 or mid-stream, where only the text tells the kind. */
export function kindOfText(text: string): FailureKind {
  if (overflow.test(text)) return 'context-overflow';
  return unknownAddress.test(text) ? 'not-found' : 'server';
}

const kindOf = (status: number, message: string): FailureKind => {
  if (status === 401 || status === 403) return 'auth';
  // 3xx: redirects are not followed. 405 and 501: the address exists, but not for this.
  if (status < 400 || status === 404 || status === 405 || status === 501) return 'not-found';
  if (status === 429) return 'rate-limited';
  if (status === 408 || status === 409 || status >= 500)
    return overflow.test(message) ? 'context-overflow' : 'server';
  return overflow.test(message) ? 'context-overflow' : 'bad-request';
};

const advice: Partial<Record<FailureKind, string>> = {
  unreachable: 'Start it (LM Studio: lms server start) or set OPENAI_BASE_URL.',
  auth: 'Set OPENAI_API_KEY to a key this server accepts.',
  'not-found':
    'Set AGENT_MODEL to a model the server has (LM Studio: lms load <model>), or OPENAI_BASE_URL to the address that ends in /v1.',
  'context-overflow':
    'Load the model with a larger context (LM Studio: lms load <model> --context-length 32768).',
};

/** Converts any client error to a ModelFailure, without the key. Aborts are returned unchanged. */
export function toModelFailure(error: unknown, address: string, apiKey?: string): unknown {
  if (error instanceof ModelFailure || error instanceof APIUserAbortError) return error;
  if (!(error instanceof Error)) return error;
  const fail = (kind: FailureKind, happened: string, retryAfterMs?: number): ModelFailure => {
    const more = advice[kind] === undefined ? '' : ` ${advice[kind]}`;
    return new ModelFailure(
      kind,
      address,
      `The model server at ${address} ${toShort(happened, apiKey)}.${more}`,
      retryAfterMs,
    );
  };
  if (error instanceof APIConnectionTimeoutError) return fail('timeout', 'did not answer in time');
  if (error instanceof APIConnectionError) {
    const reason = reasonOf(error);
    // Refused or unknown: no server there. Reset: there was one, and it may be back soon.
    return /ECONNRESET|EPIPE|socket|terminated|closed/i.test(reason)
      ? fail('cut', `closed the connection (${reason})`)
      : fail('unreachable', `is not reachable (${reason})`);
  }
  if (error instanceof APIError) {
    const { status, headers, message } = error as APIError;
    return typeof status === 'number'
      ? fail(kindOf(status, message), `answered ${message}`, readRetryAfter(headers, Date.now()))
      : fail(kindOfText(message), `failed: ${message}`);
  }
  return error instanceof SyntaxError
    ? fail('malformed', 'sent an answer that is not JSON')
    : fail('cut', `cut its answer short: ${reasonOf(error)}`);
}

const maxTextLength = 500;

/** Shortens to one line. Servers may echo the key they were sent, and proxies return whole pages. */
function toShort(happened: string, apiKey: string | undefined): string {
  const open =
    apiKey === undefined || apiKey === '' ? happened : happened.replaceAll(apiKey, '[key]');
  const page = open.search(/<(?:!doctype|html)/i);
  const text = page === -1 ? open : `${open.slice(0, page).trimEnd()} and a web page`;
  return text.replaceAll(/\s+/g, ' ').trim().slice(0, maxTextLength).replace(/\.$/, '');
}

function reasonOf(error: Error): string {
  const { cause } = error;
  if (cause instanceof Error) {
    const { code } = cause as NodeJS.ErrnoException;
    return code ?? reasonOf(cause);
  }
  return (error as NodeJS.ErrnoException).code ?? error.message;
}
