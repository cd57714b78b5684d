import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Payload, PayloadCodec } from '@temporalio/common';
import type { PayloadJson } from '../audit/history-json.ts';

// An `import` of node:http reads every export, and one of them loads the whole of fetch: 50 ms instead of 5.
const { createServer } = process.getBuiltinModule('node:http');

export interface CodecServerOptions {
  readonly codec: PayloadCodec;
  readonly port: number;
  /** Port of the Web UI, whose pages may ask. */
  readonly webUi: number;
  /** Lets programs ask, which have no origin: `Authorization: Bearer <token>`. */
  readonly token: string;
}

const bodyLimit = 32 * 1024 * 1024;

/** The request cannot be answered; the message says what is wrong with it. */
class BadRequest extends Error {
  override readonly name = 'BadRequest';
}

/**
 * Temporal's remote codec protocol, not yet listening: `POST /decode` and `/encode` with `{"payloads": […]}`, for the Web UI
 * of an encrypted history. Only pages of the Web UI and holders of the token are answered.
 */
export function createCodecServer({ codec, port, webUi, token }: CodecServerOptions): Server {
  const names = ['127.0.0.1', 'localhost'];
  const hosts = new Set(names.map((name) => `${name}:${port}`));
  const origins = new Set(names.map((name) => `http://${name}:${webUi}`));
  const bearer = hash(`Bearer ${token}`);

  const mayAsk = ({ headers }: IncomingMessage): boolean =>
    hosts.has(headers.host ?? '') &&
    (headers.origin === undefined
      ? timingSafeEqual(hash(headers.authorization ?? ''), bearer)
      : origins.has(headers.origin));

  const answer = async (request: IncomingMessage): Promise<[status: number, body?: object]> => {
    if (!mayAsk(request))
      return [403, { message: 'Only the Web UI and holders of the token may ask.' }];
    if (request.method === 'OPTIONS') return [204];
    const path = (request.url ?? '').replace(/\?.*$/, '');
    if (path !== '/decode' && path !== '/encode') return [404, { message: `Nothing at ${path}.` }];
    if (request.method !== 'POST') return [405, { message: 'Use POST.' }];
    try {
      const payloads = parsePayloads(await readBody(request));
      const turned =
        path === '/decode' ? await codec.decode(payloads) : await codec.encode(payloads);
      return [200, { payloads: turned.map(toJson) }];
    } catch (error) {
      return [400, { message: (error as Error).message }];
    }
  };

  return createServer((request, response) => {
    void answer(request).then(([status, body]) => {
      const { origin } = request.headers;
      const allowed =
        origin !== undefined && origins.has(origin)
          ? {
              'access-control-allow-origin': origin,
              'access-control-allow-methods': 'POST, OPTIONS',
              'access-control-allow-headers': 'authorization, content-type, x-namespace',
              'access-control-max-age': '600',
              vary: 'origin',
            }
          : {};
      return response
        .writeHead(status, { 'content-type': 'application/json', ...allowed })
        .end(body === undefined ? undefined : JSON.stringify(body));
    });
  });
}

const hash = (text: string): Buffer => createHash('sha256').update(text).digest();

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > bodyLimit) throw new BadRequest(`The body is larger than ${bodyLimit} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsePayloads(text: string): Payload[] {
  let payloads: unknown;
  try {
    ({ payloads } = JSON.parse(text) as { payloads?: unknown });
  } catch {
    throw new BadRequest('The body is not JSON.');
  }
  if (!Array.isArray(payloads)) throw new BadRequest('Expected {"payloads": […]}.');
  return payloads.map(({ metadata = {}, data = '' }: PayloadJson) => ({
    metadata: Object.fromEntries(
      Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value, 'base64')]),
    ),
    data: Buffer.from(data, 'base64'),
  }));
}

const toJson = ({ metadata, data }: Payload): PayloadJson => ({
  metadata: Object.fromEntries(
    Object.entries(metadata ?? {}).map(([name, value]) => [
      name,
      Buffer.from(value).toString('base64'),
    ]),
  ),
  data: Buffer.from(data ?? []).toString('base64'),
});
