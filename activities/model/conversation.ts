import type { Usage } from '../contract/model.ts';

/** A conversation with a model, independent of the protocol. */
export type Message =
  | { readonly role: 'system' | 'user'; readonly text: string }
  | { readonly role: 'assistant'; readonly text: string; readonly calls: readonly ReplyCall[] }
  | { readonly role: 'tool'; readonly callId: string; readonly text: string };

/** A tool call as the model wrote it. */
export interface ReplyCall {
  readonly id: string;
  readonly name: string;
  /** JSON text, unchecked. */
  readonly arguments: string;
}

export interface ToolSpec {
  readonly name: string;
  readonly description: string;
  readonly parameters: Record<string, unknown>;
}

export interface Endpoint {
  /** Ends in `/v1` on most servers. */
  readonly baseUrl: string;
  readonly apiKey?: string;
  readonly model: string;
  readonly forceChat?: boolean;
}

export interface ModelAsk {
  readonly endpoint: Endpoint;
  readonly messages: readonly Message[];
  readonly tools?: readonly ToolSpec[];
  /** The answer must be JSON matching this schema. */
  readonly schema?: { readonly name: string; readonly schema: Record<string, unknown> };
}

export interface ModelReply {
  readonly text: string;
  readonly calls: readonly ReplyCall[];
  readonly usage: Usage;
  readonly protocol: 'responses' | 'chat';
  /** `length`: truncated by the token limit; its calls must not be run. */
  readonly finish: 'stop' | 'length';
  readonly ms: number;
}

export interface Listener {
  readonly signal: AbortSignal;
  /** Called on every arrival, with its text (maybe empty). */
  readonly onPiece: (text: string) => void;
}

/** What a protocol makes of a stream; the caller adds protocol and time. */
export type RawReply = Omit<ModelReply, 'protocol' | 'ms' | 'usage'> & {
  readonly usage?: Omit<Usage, 'estimated'>;
};

const maxIdLength = 64;

/**
 * Makes call ids unique, because small servers omit or repeat them. New ids continue the numbering of earlier calls, so
 * that the same answer in the same place gets the same ids.
 */
export function toUniqueIds(
  calls: readonly ReplyCall[],
  before: readonly Message[] = [],
): ReplyCall[] {
  const seen = new Set(
    before.flatMap((message) =>
      message.role === 'assistant' ? message.calls.map(({ id }) => id) : [],
    ),
  );
  return calls.map((call) => {
    let { id } = call;
    let number = seen.size;
    while (id === '' || id.length > maxIdLength || seen.has(id)) {
      number += 1;
      id = `call_${number}`;
    }
    seen.add(id);
    return { ...call, id };
  });
}

/** Strips inline reasoning from the answer; some templates swallow its opening tag. */
export const withoutThinking = (text: string): string =>
  text
    .replaceAll(/<think>[\s\S]*?(<\/think>|$)/g, '')
    .replace(/^[\s\S]*<\/think>/, '')
    .trim();

const charactersPerToken = 4;

/** Cached tokens, if the server reports them. */
export const toCached = (tokens: number | undefined): { readonly cachedTokens?: number } =>
  Number.isSafeInteger(tokens) && Number(tokens) > 0 ? { cachedTokens: Number(tokens) } : {};

/** A rough estimate, marked as such, for servers that report no usage. */
export const estimateTokens = (text: string): number => Math.ceil(text.length / charactersPerToken);
