/** Proxy in front of Temporal's Web UI, which does not authenticate callers and obeys any web page. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type {
  IncomingHttpHeaders,
  IncomingMessage,
  RequestOptions,
  Server,
  ServerResponse,
} from 'node:http';

// An `import` of node:http evaluates every export, one of which loads all of fetch: 50 ms instead of 5.
const { createServer, request: ask } = process.getBuiltinModule('node:http');

export interface WebUiOptions {
  readonly port: number;
  /** Opens it in a browser, through `/open/<key>`. */
  readonly key: string;
  /** For programs: `Authorization: Bearer <token>`. */
  readonly token: string;
  /** Where Temporal's Web UI currently listens; undefined if there is none. */
  readonly upstream: () => Pick<RequestOptions, 'host' | 'port' | 'socketPath'> | undefined;
  /** Encodes and decodes payloads: requests below `/codec`. */
  readonly codec: (
    request: IncomingMessage,
    path: string,
  ) => Promise<[status: number, body: object]>;
}

const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
const isSame = (one: string, other: string): boolean => timingSafeEqual(hash(one), hash(other));

/** The cookie a browser gets for the key and sends from then on. */
const toCookie = (key: string): string =>
  createHmac('sha256', key).update('web-ui').digest('base64url');

const readCookie = (headers: IncomingHttpHeaders, name: string): string =>
  (headers.cookie ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .find((pair) => pair.startsWith(`${name}=`))
    ?.slice(name.length + 1) ?? '';

/**
 * False for a person opening a page and for our own pages. Without these headers it is not a browser, and the secret
 * alone decides. True for requests made by other pages, with or without the person's cookie.
 */
export function isForeignPage({ method, headers }: IncomingMessage, origin: string): boolean {
  if (headers.origin !== undefined && headers.origin !== origin) return true;
  const site = headers['sec-fetch-site'];
  if (site === undefined || site === 'same-origin' || site === 'none') return false;
  return !(
    method === 'GET' &&
    headers['sec-fetch-mode'] === 'navigate' &&
    headers['sec-fetch-dest'] === 'document'
  );
}

const closed =
  'Only the user who started the stack can open this Web UI. Its address, with the key: agent ps\n';

/**
 * The server in front of the Web UI, not yet listening. The Host header must be its own, other origins are refused, and
 * everything needs the token, or the cookie from `/open/<key>`.
 */
export function createWebUi(options: WebUiOptions): Server {
  const { port, key, token, upstream, codec } = options;
  const host = `127.0.0.1:${port}`;
  const origin = `http://${host}`;
  const name = `dev-agent-${port}`;
  const cookie = toCookie(key);

  const isKnown = ({ headers }: IncomingMessage): boolean =>
    isSame(readCookie(headers, name), cookie) ||
    isSame(headers.authorization ?? '', `Bearer ${token}`);

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url = '', headers } = request;
    const opens = method === 'GET' && url.startsWith('/open/');
    if (method === 'GET' && headers.host === `localhost:${port}`) {
      response.writeHead(302, { location: `${origin}${url}` }).end();
      return;
    }
    if (headers.host !== host) return refuse(response, 'Wrong Host header.\n');
    if (isForeignPage(request, origin)) return refuse(response, 'Not for other pages.\n');
    if (opens && isSame(url.slice('/open/'.length), key)) {
      // A page, not a redirect: after a redirect, a browser coming from elsewhere would not send the cookie.
      response
        .writeHead(200, {
          'content-type': 'text/html; charset=utf-8',
          'cache-control': 'no-store',
          'referrer-policy': 'no-referrer',
          'set-cookie': `${name}=${cookie}; HttpOnly; SameSite=Strict; Path=/`,
        })
        .end(`<!doctype html><meta http-equiv="refresh" content="0;url=/">`);
      return;
    }
    if (opens || !isKnown(request)) return refuse(response, closed);
    const path = url.replace(/\?.*$/, '');
    if (path.startsWith('/codec/')) {
      const [status, body] = await codec(request, path.slice('/codec'.length));
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      return;
    }
    const target = upstream();
    if (target !== undefined) return forward(request, response, target);
    response.writeHead(404, { 'content-type': 'text/plain' }).end('There is no Web UI here.\n');
  };

  return createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
}

function refuse(response: ServerResponse, text: string): void {
  response.writeHead(403, { 'content-type': 'text/plain; charset=utf-8' }).end(text);
}

function forward(
  request: IncomingMessage,
  response: ServerResponse,
  upstream: NonNullable<ReturnType<WebUiOptions['upstream']>>,
): void {
  const { method, url: path, headers } = request;
  const question = ask({ ...upstream, method, path, headers, agent: false }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, {
      ...answer.headers,
      'x-frame-options': 'DENY',
      'referrer-policy': 'same-origin',
    });
    answer.on('error', () => response.destroy());
    answer.pipe(response);
  });
  question.on('error', (error) => {
    if (response.headersSent) return void response.destroy();
    response
      .writeHead(502, { 'content-type': 'text/plain; charset=utf-8' })
      .end(`Temporal's Web UI does not answer: ${error.message}\n`);
  });
  response.on('close', () => question.destroy());
  request.pipe(question);
}
