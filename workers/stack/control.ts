import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';

// An `import` of node:http evaluates every export, one of which loads all of fetch: 50 ms instead of 5.
const { createServer } = process.getBuiltinModule('node:http');

/** Answers one kind of request. `body` is arbitrary JSON from the caller. */
export type Handler = (body: Readonly<Record<string, unknown>>) => Promise<object> | object;

/** An invalid request; the message is the answer. */
export class ControlError extends Error {
  override readonly name = 'ControlError';
}

const bodyLimit = 64 * 1024;

const hash = (text: string): Buffer => createHash('sha256').update(text).digest();

const readBody = async (request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > bodyLimit) throw new ControlError(`The body is larger than ${bodyLimit} bytes.`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  let body: unknown;
  try {
    body = text === '' ? {} : JSON.parse(text);
  } catch {
    throw new ControlError('The body is not JSON.');
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new ControlError('The body must be a JSON object.');
  }
  return body as Record<string, unknown>;
};

/**
 * The supervisor's control server, not yet listening. Anyone with the token may call it, but no web page: the Host
 * header must name the loopback interface, and browser headers are refused.
 */
export function createControl(
  token: string,
  port: number,
  handlers: Readonly<Record<string, Handler>>,
): Server {
  const expected = hash(`Bearer ${token}`);
  const hosts = new Set([`127.0.0.1:${port}`, `localhost:${port}`]);

  const answer = async (request: IncomingMessage): Promise<[status: number, body: object]> => {
    const { headers } = request;
    if (!hosts.has(headers.host ?? '')) return [403, { error: 'Wrong Host header.' }];
    // Programs send neither; browsers add them to every POST.
    if (headers.origin !== undefined || headers['sec-fetch-site'] !== undefined)
      return [403, { error: 'Not for web pages.' }];
    // Compared as hashes: equal length, and timing reveals nothing about the token.
    if (!timingSafeEqual(hash(headers.authorization ?? ''), expected)) {
      return [
        401,
        { error: 'Wrong or missing token; it is in the `token` file of the state folder.' },
      ];
    }
    const handler = Object.hasOwn(handlers, request.url ?? '')
      ? handlers[request.url ?? '']
      : undefined;
    if (handler === undefined) return [404, { error: `Nothing at ${request.url}.` }];
    if (request.method !== 'POST') return [405, { error: 'Use POST.' }];
    try {
      return [200, await handler(await readBody(request))];
    } catch (error) {
      const status = error instanceof ControlError ? 400 : 500;
      return [status, { error: (error as Error).message }];
    }
  };

  return createServer((request, response) => {
    void answer(request).then(([status, body]) => {
      const text = JSON.stringify(body);
      return response
        .writeHead(status, { 'content-type': 'application/json', connection: 'close' })
        .end(text);
    });
  });
}
