import { createServer, request } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream';
import type { Verdict } from '../../policies/action.ts';
import type { Policy } from '../../policies/policy.ts';
import { authorize } from './authorize.ts';
import type { Authorization, Resolver } from './authorize.ts';

/** One request, as recorded. A tunnel's content is not visible, only its destination. */
export interface NetworkRequest {
  readonly method: string;
  readonly host: string;
  readonly port: number;
  readonly verdict: Verdict;
  readonly rule: string;
  readonly reason: string;
  /** The host's checked addresses; absent if refused. */
  readonly addresses?: readonly string[];
}

/** Connects to a checked address. */
export type Dial = (address: string, port: number) => Promise<Socket>;

export interface ProxyOptions {
  readonly policy: Policy;
  /** Durable when it resolves; if it fails, the request is refused. */
  readonly log: (entry: NetworkRequest) => Promise<unknown>;
  readonly resolve?: Resolver;
  readonly dial?: Dial;
}

const connectMs = 10_000;
const endpoint = /^(?:\[[0-9a-f:.]+\]|[^\s:/?#@\\[\]]+):(\d{1,5})$/i;

const dialAddress: Dial = (address, port) =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: address, port });
    socket.setTimeout(connectMs, () => socket.destroy(new Error('it does not answer')));
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('error', reject);
      resolve(socket);
    });
  });

/**
 * A filtering HTTP proxy: judges and records every request and tunnel, and dials the very address it judged. Listens
 * nowhere: connections are handed to it (`server.emit('connection', stream)`).
 */
export function createProxy({ policy, log, resolve, dial = dialAddress }: ProxyOptions): Server {
  const server = createServer((incoming, outgoing) => {
    forward(incoming, outgoing).catch((error: unknown) => refuse(outgoing, 502, toText(error)));
  });
  server.on('connect', (incoming: IncomingMessage, stream: Duplex, head: Buffer) => {
    stream.on('error', () => stream.destroy());
    tunnel(incoming.url ?? '', stream, head).catch((error: unknown) =>
      answer(stream, 502, toText(error)),
    );
  });
  return server;

  async function forward(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = 'GET', url: text = '' } = incoming;
    if (!/^http:\/\//i.test(text))
      return refuse(
        outgoing,
        400,
        'This is a proxy: ask for http://host/path, or CONNECT host:port.',
      );
    const permit = await judge(text, method);
    const { url } = permit;
    if (permit.decision.verdict !== 'allow' || url === undefined)
      return refuse(outgoing, 403, toRefusal(permit));
    const socket = await dialAny(permit);
    const upstream = request({
      createConnection: () => socket,
      method,
      path: `${url.pathname}${url.search}`,
      setHost: false,
      headers: { ...endToEnd(incoming.headers), host: url.host, connection: 'close' },
    });
    outgoing.on('close', () => socket.destroy());
    upstream.on('error', (error) => refuse(outgoing, 502, toText(error)));
    upstream.on('response', (response) => {
      outgoing.writeHead(response.statusCode ?? 502, endToEnd(response.headers));
      pipeline(response, outgoing, () => undefined);
    });
    incoming.pipe(upstream);
  }

  async function tunnel(target: string, stream: Duplex, head: Buffer): Promise<void> {
    if (!endpoint.test(target)) return answer(stream, 400, 'Expected CONNECT host:port.');
    const permit = await judge(`https://${target}/`, 'CONNECT');
    if (permit.decision.verdict !== 'allow') return answer(stream, 403, toRefusal(permit));
    const socket = await dialAny(permit);
    stream.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    socket.write(head);
    pipeline(stream, socket, stream, () => {
      socket.destroy();
      stream.destroy();
    });
  }

  async function judge(text: string, method: string): Promise<Authorization> {
    const permit = await authorize(text, policy, resolve, method);
    const { decision, url, port = 0, addresses } = permit;
    const { verdict, rule, reason } = decision;
    await log({
      method,
      host: url?.hostname ?? '',
      port,
      verdict,
      rule,
      reason,
      addresses: addresses.length === 0 ? undefined : addresses,
    });
    return permit;
  }

  async function dialAny({ addresses, port = 0 }: Authorization): Promise<Socket> {
    let last: unknown;
    for (const address of addresses) {
      try {
        const socket = await dial(address, port);
        socket.on('error', () => socket.destroy());
        return socket;
      } catch (error) {
        last = error;
      }
    }
    throw last;
  }
}

const toText = (error: unknown): string =>
  `The request failed: ${error instanceof Error ? error.message : String(error)}`;

const toRefusal = ({ decision: { verdict, rule, reason } }: Authorization): string =>
  verdict === 'ask'
    ? `Refused (${rule}): ${reason} A command cannot wait for approval.`
    : `Refused (${rule}): ${reason}`;

function refuse(outgoing: ServerResponse, status: number, text: string): void {
  if (outgoing.headersSent) {
    outgoing.destroy();
    return;
  }
  outgoing.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  outgoing.end(`${text}\n`);
}

function answer(stream: Duplex, status: number, text: string): void {
  const body = Buffer.from(`${text}\n`);
  const reason = status === 403 ? 'Forbidden' : 'Failed';
  stream.end(
    `HTTP/1.1 ${status} ${reason}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${text}\n`,
  );
}

/** Headers of the connection, not the request (RFC 9110, 7.6.1). */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
]);

function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const named = new Set(
    (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase()),
  );
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !hopByHop.has(name) && !named.has(name)),
  );
}
