/** A server that sends exactly the bytes it is told to, for what no well-behaved server would send. */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface RawServer {
  readonly baseUrl: string;
  /** Paths asked for, in order. */
  readonly paths: readonly string[];
  /** Bodies of the requests, parsed. */
  readonly bodies: readonly Record<string, unknown>[];
  close(): Promise<void>;
}

type Answer = (
  response: ServerResponse,
  path: string,
  incoming: IncomingMessage,
  body: Readonly<Record<string, unknown>>,
) => void;

export async function startRawServer(answer: Answer): Promise<RawServer> {
  const paths: string[] = [];
  const bodies: Record<string, unknown>[] = [];
  const server = createServer((incoming, response) => {
    let text = '';
    incoming.setEncoding('utf8').on('data', (part: string) => (text += part));
    incoming.on('end', () => {
      paths.push(incoming.url ?? '');
      const body = JSON.parse(text || '{}') as Record<string, unknown>;
      bodies.push(body);
      answer(response, incoming.url ?? '', incoming, body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    paths,
    bodies,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Server-sent events of these values, whole and with the end marker. */
export function sendEvents(response: ServerResponse, events: readonly unknown[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const event of events) response.write(`data: ${JSON.stringify(event)}\n\n`);
  response.end('data: [DONE]\n\n');
}

/** A JSON body. */
export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

/** Chat chunks that stream these pieces of tool calls. */
export const toChunks = (deltas: readonly unknown[], finish = 'tool_calls'): unknown[] => [
  ...deltas.map((delta) => ({ choices: [{ index: 0, delta: { tool_calls: [delta] } }] })),
  { choices: [{ index: 0, delta: {}, finish_reason: finish }] },
];
