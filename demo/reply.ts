/** An HTTP reply before it is sent: one chunk for JSON, one per event for a stream. */
import { randomUUID } from 'node:crypto';
import type { NormalAnswer, NormalRequest, PastCall, TokenCounts, WireError } from './exchange.ts';

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly chunks: readonly string[];
}

/** An answer in full: texts, ids and counts as they go over the wire. */
export interface Outcome {
  readonly text: string;
  readonly calls: readonly PastCall[];
  readonly usage: TokenCounts | null;
  readonly stopped?: 'length';
}

export const toJsonReply = (
  status: number,
  body: unknown,
  headers: Reply['headers'] = {},
): Reply => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  chunks: [JSON.stringify(body)],
});

export const toStreamReply = (events: readonly string[]): Reply => ({
  status: 200,
  headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' },
  chunks: events,
});

/** The body that OpenAI's servers send with an error status. */
export function toErrorReply({ status, message, headers }: WireError): Reply {
  const type =
    status === 429 ? 'rate_limit_error' : status < 500 ? 'invalid_request_error' : 'server_error';
  return toJsonReply(status, { error: { message, type, param: null, code: null } }, headers);
}

/** A fresh id such as `call_3f0c…`. */
export const createId = (prefix: string): string =>
  `${prefix}_${randomUUID().replaceAll('-', '').slice(0, 24)}`;

/** About four characters per token, as tokenizers average on English and code. */
const estimateTokens = (text: string): number => Math.ceil(text.length / 4);

export function toOutcome(request: NormalRequest, answer: NormalAnswer): Outcome {
  const { json, stopped, usage } = answer;
  const text = json === undefined ? (answer.text ?? '') : JSON.stringify(json);
  const calls = (answer.calls ?? []).map(({ id = createId('call'), name, args }) => ({
    id,
    name,
    args: typeof args === 'string' ? args : JSON.stringify(args),
  }));
  const estimate = (): TokenCounts => ({
    inputTokens: estimateTokens(JSON.stringify(request.body)),
    outputTokens: estimateTokens(text + calls.map(({ name, args }) => name + args).join('')),
  });
  return { text, calls, usage: usage === undefined ? estimate() : usage, stopped };
}

/** Pieces of at least 16 characters, at most about 64 per text; never splits a surrogate pair. */
export function splitText(text: string): readonly string[] {
  const length = Math.max(16, Math.ceil(text.length / 64));
  return text.match(new RegExp(`.{1,${length}}`, 'gsu')) ?? [];
}
