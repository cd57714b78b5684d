import type { IncomingMessage } from 'node:http';
import type { Payload, PayloadCodec } from '@temporalio/common';
import type { PayloadJson } from '../../audit/mirror/history-json.ts';

const bodyLimit = 32 * 1024 * 1024;

/** An invalid request; the message says what is wrong. */
class BadRequest extends Error {
  override readonly name = 'BadRequest';
}

/**
 * Temporal's remote codec protocol, for other readers of an encrypted history: `POST /decode` and `/encode` with
 * `{"payloads": […]}`. The caller checks who may ask.
 */
export const createCodecAnswers =
  (codec: PayloadCodec) =>
  async (request: IncomingMessage, path: string): Promise<[status: number, body: object]> => {
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
