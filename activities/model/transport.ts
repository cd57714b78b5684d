import { request as requestHttp } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { Readable } from 'node:stream';

type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

const withoutBody = new Set([204, 205, 304]);

/**
 * `fetch` without built-in timeouts: Node's gives up if no header arrives for 5 minutes, and a local model may read a
 * long prompt longer. Follows no redirects, so the key stays with its server.
 */
export const fetchPatiently: Fetch = async (input, init = {}) => {
  const url = new URL(input instanceof Request ? input.url : input);
  if (typeof init.body !== 'string' && init.body !== null && init.body !== undefined) {
    throw new TypeError('Only text is sent to model servers.');
  }
  for (;;) {
    const sent = await send(url, init);
    if (sent !== 'stale') return toResponse(sent);
  }
};

/** `stale`: the server had closed a kept-alive connection, which is not a failure; the next one is tried. */
function send(url: URL, init: RequestInit): Promise<IncomingMessage | 'stale'> {
  return new Promise((resolve, reject) => {
    const start = url.protocol === 'https:' ? requestHttps : requestHttp;
    const request = start(url, {
      method: init.method ?? 'GET',
      headers: { ...Object.fromEntries(new Headers(init.headers)), 'accept-encoding': 'identity' },
      signal: init.signal ? init.signal : undefined,
    });
    request.on('response', resolve);
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (request.reusedSocket && error.code === 'ECONNRESET') resolve('stale');
      else reject(error);
    });
    request.end(init.body ?? undefined);
  });
}

function toResponse(message: IncomingMessage): Response {
  const headers = new Headers();
  for (let at = 0; at < message.rawHeaders.length; at += 2) {
    headers.append(message.rawHeaders[at] ?? '', message.rawHeaders[at + 1] ?? '');
  }
  const { statusCode: status = 500, statusMessage: statusText = '' } = message;
  if (withoutBody.has(status)) {
    message.resume();
    return new Response(null, { status, statusText, headers });
  }
  return new Response(Readable.toWeb(message), { status, statusText, headers });
}
