import OpenAI from 'openai';
import { askChat } from './chat.ts';
import type { Endpoint, Listener, ModelAsk, ModelReply, RawReply } from './conversation.ts';
import { estimateTokens, toUniqueIds, withoutThinking } from './conversation.ts';
import { ModelFailure, toModelFailure } from './failures.ts';
import { askResponses } from './responses.ts';

export interface ModelClient {
  /** One answer, streamed. @throws ModelFailure; an abort is thrown on as it came. */
  ask(ask: ModelAsk, listener: Listener): Promise<ModelReply>;
}

export interface ClientOptions {
  /** Time for the first sign of an answer: a local model may read a long prompt for minutes. */
  readonly firstPieceMs?: number;
  /** Longest silence after that. */
  readonly silenceMs?: number;
}

type Protocol = ModelReply['protocol'];

/**
 * Which API a server speaks is found out by the first real request: Responses is tried, and a server that does not know
 * the address says so at once and for nothing. A separate probe would cost a generation on servers that do know it.
 */
export function createModelClient({
  firstPieceMs = 600_000,
  silenceMs = 300_000,
}: ClientOptions = {}): ModelClient {
  const clients = new Map<string, OpenAI>();
  const protocols = new Map<string, Protocol>();

  const clientFor = ({ baseUrl, apiKey }: Endpoint): OpenAI => {
    const key = `${baseUrl} ${apiKey ?? ''}`;
    const known = clients.get(key);
    if (known !== undefined) return known;
    // Retries are Temporal's, time limits ours; without a key the package refuses to start.
    const client = new OpenAI({
      baseURL: baseUrl,
      apiKey: apiKey ?? 'none',
      maxRetries: 0,
      timeout: firstPieceMs,
    });
    clients.set(key, client);
    return client;
  };

  const askWith = async (
    protocol: Protocol,
    ask: ModelAsk,
    listener: Listener,
  ): Promise<ModelReply> => {
    const started = performance.now();
    const watch = new AbortController();
    let timer = setTimeout(() => watch.abort(), firstPieceMs);
    const limited: Listener = {
      signal: AbortSignal.any([listener.signal, watch.signal]),
      onPiece(text) {
        clearTimeout(timer);
        timer = setTimeout(() => watch.abort(), silenceMs);
        if (text !== '') listener.onPiece(text);
      },
    };
    const { baseUrl } = ask.endpoint;
    try {
      const askServer = protocol === 'responses' ? askResponses : askChat;
      const raw = await askServer(clientFor(ask.endpoint), ask, limited);
      return toReply(raw, ask, protocol, Math.round(performance.now() - started));
    } catch (error) {
      if (listener.signal.aborted) throw error;
      if (watch.signal.aborted) {
        throw new ModelFailure('timeout', baseUrl, `The model server at ${baseUrl} went silent.`);
      }
      throw toModelFailure(error, baseUrl);
    } finally {
      clearTimeout(timer);
    }
  };

  return {
    async ask(ask, listener) {
      const { endpoint } = ask;
      const known = endpoint.forceChat === true ? 'chat' : protocols.get(endpoint.baseUrl);
      if (known !== undefined) return await askWith(known, ask, listener);
      try {
        const reply = await askWith('responses', ask, listener);
        protocols.set(endpoint.baseUrl, 'responses');
        return reply;
      } catch (error) {
        if (!isUnknownApi(error)) throw error;
        const reply = await askWith('chat', ask, listener);
        protocols.set(endpoint.baseUrl, 'chat');
        return reply;
      }
    },
  };
}

/** 404, 405 and 501 from servers without the API; 400 from some that know the address but not what we ask there. */
const isUnknownApi = (error: unknown): boolean =>
  error instanceof ModelFailure &&
  (error.kind === 'not-found' ||
    error.kind === 'bad-request' ||
    /answered (405|501)/.test(error.message));

function toReply(raw: RawReply, ask: ModelAsk, protocol: Protocol, ms: number): ModelReply {
  const { usage } = raw;
  const counted = usage !== undefined && usage.inputTokens + usage.outputTokens > 0;
  return {
    text: withoutThinking(raw.text),
    calls: toUniqueIds(raw.calls),
    finish: raw.finish,
    protocol,
    ms,
    usage: counted
      ? usage
      : {
          inputTokens: estimateTokens(JSON.stringify(ask.messages)),
          outputTokens: estimateTokens(raw.text + JSON.stringify(raw.calls)),
          estimated: true,
        },
  };
}
