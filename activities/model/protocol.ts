import type { Listener, Message, ModelAsk, ModelReply } from './conversation.ts';
import { ModelFailure } from './failures.ts';

export type Protocol = ModelReply['protocol'];

/** Which API to use, and whether the server enforces a JSON schema. */
interface Way {
  readonly protocol: Protocol;
  readonly schemas: boolean;
}

type AskWith = (protocol: Protocol, ask: ModelAsk, listener: Listener) => Promise<ModelReply>;

/** Best first; every server understands the last. */
const ways: readonly Way[] = [
  { protocol: 'responses', schemas: true },
  { protocol: 'chat', schemas: true },
  { protocol: 'chat', schemas: false },
];

/**
 * Learns from the first real request what a server supports: it tries the best way, and a server that does not know it
 * says so at once for free. A separate probe would cost a generation on servers that do.
 */
export function createProtocols(askWith: AskWith): {
  ask(ask: ModelAsk, listener: Listener): Promise<ModelReply>;
} {
  const proven = new Map<string, number>();

  return {
    async ask(ask, listener) {
      const { baseUrl, model, forceChat } = ask.endpoint;
      const name = JSON.stringify([baseUrl, model]);
      const first = Math.max(proven.get(name) ?? 0, forceChat === true ? 1 : 0);
      const failures: ModelFailure[] = [];
      for (const [index, way] of ways.entries()) {
        if (index < first || !isWorthTrying(way, ask, failures.at(-1))) continue;
        try {
          const sent = way.schemas ? ask : withSchemaAsText(ask);
          const reply = await askWith(way.protocol, sent, listener);
          proven.set(name, index);
          return reply;
        } catch (error) {
          if (!(error instanceof ModelFailure) || !isAboutTheWay(error)) throw error;
          failures.push(error);
        }
      }
      // An objection to the request says more than a missing address.
      throw failures.find(({ kind }) => kind === 'bad-request') ?? failures.at(-1);
    },
  };
}

/** `bad-request`: some servers know the address but not the request. */
const isAboutTheWay = ({ kind }: ModelFailure): boolean =>
  kind === 'not-found' || kind === 'bad-request';

/** The last way differs only for a request with a schema, and helps only if the request was refused. */
function isWorthTrying(way: Way, ask: ModelAsk, last: ModelFailure | undefined): boolean {
  if (way.schemas || last === undefined) return true;
  return ask.schema !== undefined && last.kind === 'bad-request';
}

/** The schema as part of the instructions, not a message: some chat templates insist on alternating roles. */
function withSchemaAsText({ schema, messages, ...ask }: ModelAsk): ModelAsk {
  if (schema === undefined) return { ...ask, messages };
  const form = `Answer with one JSON object of this JSON schema and nothing else:\n${JSON.stringify(schema.schema)}`;
  const [first, ...others] = messages;
  const opening: Message[] =
    first?.role === 'system'
      ? [{ role: 'system', text: `${first.text}\n\n${form}` }]
      : [{ role: 'system', text: form }, ...(first === undefined ? [] : [first])];
  return { ...ask, messages: [...opening, ...others] };
}
