/** A model server on the OpenAI wire: both protocols, streamed or not, in front of one answering function. */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { renderChat } from './chat.ts';
import type { NormalAnswer, NormalRequest } from './exchange.ts';
import { WireError } from './exchange.ts';
import { parseChat, parseResponses } from './parse.ts';
import type { Reply } from './reply.ts';
import { toErrorReply, toJsonReply } from './reply.ts';
import { renderResponses } from './responses.ts';

/** Longest request body that is read. */
const maxBytes = 64 * 1024 * 1024;

export interface WireOptions {
  /** Port on 127.0.0.1; 0 or absent for a free one. */
  readonly port?: number;
  /** What `GET /v1/models` lists. Requests may name any model. */
  readonly models: readonly string[];
  /** A `WireError` thrown here is sent with its status; anything else as a 500. */
  readonly answer: (request: NormalRequest, incoming: IncomingMessage) => Promise<NormalAnswer>;
  /** Throws a `WireError` to turn a request down before its body is read. */
  readonly admit?: (incoming: IncomingMessage) => void;
  /** Sends the reply; `request` is absent where none could be parsed. */
  readonly deliver?: (
    reply: Reply,
    response: ServerResponse,
    request?: NormalRequest,
  ) => Promise<void>;
}

export interface WireServer {
  readonly port: number;
  /** With `/v1`, ready for `OPENAI_BASE_URL`. */
  readonly baseUrl: string;
  /** Ends open connections as well. */
  close(): Promise<void>;
}

/** Writes chunk by chunk and ends; a client that went away is no error. */
export async function sendReply(reply: Reply, response: ServerResponse): Promise<void> {
  response.writeHead(reply.status, reply.headers);
  await pipeline(Readable.from(reply.chunks), response).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE' && error.code !== 'ECONNRESET') throw error;
  });
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of incoming as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > maxBytes)
      throw new WireError(413, `The body is larger than ${maxBytes} bytes. Send less text.`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

interface Protocol {
  readonly parse: (body: string) => NormalRequest;
  readonly render: (request: NormalRequest, answer: NormalAnswer) => Reply;
}

const protocols: Readonly<Record<string, Protocol>> = {
  'POST /v1/chat/completions': { parse: parseChat, render: renderChat },
  'POST /v1/responses': { parse: parseResponses, render: renderResponses },
};

/** The list of models, or the one that the path names. */
function renderModels(models: readonly string[], path: string): Reply {
  const data = models.map((id) => ({ id, object: 'model', created: 0, owned_by: 'dev-agent' }));
  if (path === '/v1/models') return toJsonReply(200, { object: 'list', data });
  const found = data.find(({ id }) => path === `/v1/models/${encodeURIComponent(id)}`);
  if (found !== undefined) return toJsonReply(200, found);
  throw new WireError(404, `No model at ${path}. Known models: ${models.join(', ')}.`);
}

/** Listens when it resolves. @throws the system's error when the port is taken. */
export async function startWire(options: WireOptions): Promise<WireServer> {
  const { models, answer, admit, deliver = sendReply } = options;

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    let request: NormalRequest | undefined;
    let reply: Reply;
    try {
      admit?.(incoming);
      const path = new URL(incoming.url ?? '/', 'http://localhost').pathname;
      const route = `${incoming.method} ${path}`;
      const protocol = protocols[route];
      if (protocol !== undefined) {
        request = protocol.parse(await readBody(incoming));
        reply = protocol.render(request, await answer(request, incoming));
      } else if (/^GET \/v1\/models(?:\/|$)/.test(route)) reply = renderModels(models, path);
      else
        throw new WireError(404, `Unknown request: ${route}. Expected a path of the OpenAI API.`);
    } catch (error) {
      const refused =
        error instanceof WireError
          ? error
          : new WireError(500, `The model failed: ${String(error)}`);
      reply = toErrorReply(refused);
    }
    await deliver(reply, response, request);
  }

  const server = createServer((incoming, response) => {
    serve(incoming, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    baseUrl: `http://127.0.0.1:${port}/v1`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
