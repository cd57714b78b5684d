import OpenAI from 'openai';
import { askChat } from './chat.ts';
import { createConcealer } from './conceal.ts';
import type { Concealer } from './conceal.ts';
import type {
  Endpoint,
  Listener,
  Message,
  ModelAsk,
  ModelReply,
  RawReply,
  ReplyCall,
} from './conversation.ts';
import { estimateTokens, toUniqueIds, withoutThinking } from './conversation.ts';
import { ModelFailure, toAddress, toModelFailure } from './failures.ts';
import type { Protocol } from './protocol.ts';
import { createProtocols } from './protocol.ts';
import { formRedactor } from '../../policies/secrets/redaction.ts';
import type { Mask } from '../../policies/secrets/redaction.ts';
import { askResponses } from './responses.ts';
import { fetchPatiently } from './transport.ts';

export interface ModelClient {
  /** Streams one answer. @throws ModelFailure; aborts are rethrown unchanged. */
  ask(ask: ModelAsk, listener: Listener): Promise<ModelReply>;
}

export interface ClientOptions {
  /** Time allowed for the first sign of an answer: a local model may read a long prompt for minutes. */
  readonly firstPieceMs?: number;
  /** Longest silence allowed after that. */
  readonly silenceMs?: number;
  /** Redacts everything sent or returned. */
  readonly redactor?: Mask;
}

/** Longer than any activity, so that the package's own timeout never applies. */
const neverMs = 2 ** 31 - 1;

export function createModelClient({
  firstPieceMs = 600_000,
  silenceMs = 300_000,
  redactor = formRedactor,
}: ClientOptions = {}): ModelClient {
  const clients = new Map<string, OpenAI>();

  const clientFor = ({ baseUrl, apiKey }: Endpoint): OpenAI => {
    const key = `${baseUrl} ${apiKey ?? ''}`;
    const known = clients.get(key);
    if (known !== undefined) return known;
    const client = new OpenAI({
      baseURL: baseUrl,
      // The package refuses to start without a key; servers that need none ignore it.
      apiKey: apiKey ?? 'none',
      // Otherwise read from the environment and sent to any server.
      organization: null,
      project: null,
      adminAPIKey: null,
      // Temporal retries, and we set the timeouts.
      maxRetries: 0,
      timeout: neverMs,
      fetch: fetchPatiently,
      logLevel: 'off',
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
    const concealer = createConcealer(ask.endpoint.apiKey);
    const show = (text: string): void => {
      if (text !== '') listener.onPiece(text);
    };
    const limited: Listener = {
      signal: AbortSignal.any([listener.signal, watch.signal]),
      onPiece(text) {
        clearTimeout(timer);
        timer = setTimeout(() => watch.abort(), silenceMs);
        if (text !== '') show(concealer.piece(text));
      },
    };
    try {
      const askServer = protocol === 'responses' ? askResponses : askChat;
      const sent = {
        ...ask,
        messages: ask.messages.map((message) => maskMessage(redactor, message)),
      };
      const raw = await askServer(clientFor(ask.endpoint), sent, limited);
      show(concealer.rest());
      const ms = Math.round(performance.now() - started);
      return toReply(maskReply(redactor, conceal(raw, concealer)), ask, protocol, ms);
    } catch (error) {
      if (listener.signal.aborted) throw error;
      const address = toAddress(ask.endpoint.baseUrl);
      if (watch.signal.aborted) {
        throw new ModelFailure('timeout', address, `The model server at ${address} went silent.`);
      }
      throw toModelFailure(error, address, ask.endpoint.apiKey);
    } finally {
      clearTimeout(timer);
    }
  };

  return createProtocols(askWith);
}

/** A model that was told the key, or found it, must not get it into the record. */
const conceal = (raw: RawReply, concealer: Concealer): RawReply => ({
  ...raw,
  text: concealer.whole(raw.text),
  calls: raw.calls.map(({ id, name, arguments: args }) => ({
    id: concealer.whole(id),
    name: concealer.whole(name),
    arguments: concealer.whole(args),
  })),
});

const maskCalls = ({ mask }: Mask, calls: readonly ReplyCall[]): ReplyCall[] =>
  calls.map((call) => ({ ...call, arguments: mask(call.arguments) }));

function maskMessage(redactor: Mask, message: Message): Message {
  const text = redactor.mask(message.text);
  return message.role === 'assistant'
    ? { ...message, text, calls: maskCalls(redactor, message.calls) }
    : { ...message, text };
}

/** Stops secrets that the model makes up or got elsewhere. */
const maskReply = (redactor: Mask, raw: RawReply): RawReply => ({
  ...raw,
  text: redactor.mask(raw.text),
  calls: maskCalls(redactor, raw.calls),
});

function toReply(raw: RawReply, ask: ModelAsk, protocol: Protocol, ms: number): ModelReply {
  // Zero means not counted.
  const inputTokens = raw.usage?.inputTokens || 0;
  const outputTokens = raw.usage?.outputTokens || 0;
  return {
    text: withoutThinking(raw.text),
    calls: toUniqueIds(raw.calls, ask.messages),
    finish: raw.finish,
    protocol,
    ms,
    usage:
      inputTokens > 0 && outputTokens > 0
        ? { ...raw.usage, inputTokens, outputTokens }
        : {
            inputTokens: inputTokens || estimateTokens(JSON.stringify(ask.messages)),
            outputTokens: outputTokens || estimateTokens(raw.text + JSON.stringify(raw.calls)),
            estimated: true,
          },
  };
}
