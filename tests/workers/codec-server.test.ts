import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as ask } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { Server } from 'node:http';
import { createPayloadCodec } from '../../audit/payload-codec.ts';
import { createCodecServer } from '../../workers/codec-server.ts';

const key = randomBytes(32);
const keys = { file: 'keys', active: { id: 'k1', key }, ids: ['k1'], find: () => key };
const ui = 'http://127.0.0.1:8233';
let server: Server;
let port: number;

before(async () => {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  ({ port } = probe.address() as AddressInfo);
  probe.close();
  await once(probe, 'close');
  server = createCodecServer({
    codec: createPayloadCodec({ keys }),
    port,
    webUi: 8233,
    token: 't0ken',
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
});
after(() => server.close());

interface Answer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: { readonly payloads?: readonly object[]; readonly message?: string };
}

const send = (
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body = '',
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const question = ask({ host: '127.0.0.1', port, method, path, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () =>
        resolve({
          status: response.statusCode,
          headers: response.headers,
          body: text === '' ? {} : (JSON.parse(text) as Answer['body']),
        }),
      );
    });
    question.on('error', reject);
    question.end(body);
  });

const plain = {
  metadata: { encoding: Buffer.from('json/plain').toString('base64') },
  data: Buffer.from('"hello"').toString('base64'),
};

test('a page of the Web UI gets payloads decoded, and its preflight answered', async () => {
  const preflight = await send('OPTIONS', '/decode', { origin: ui });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers['access-control-allow-origin'], ui);
  const encoded = await send(
    'POST',
    '/encode',
    { origin: ui },
    JSON.stringify({ payloads: [plain] }),
  );
  assert.equal(encoded.status, 200);
  assert.notDeepEqual(encoded.body.payloads, [plain]);
  const decoded = await send(
    'POST',
    '/decode?namespace=x',
    { origin: ui },
    JSON.stringify(encoded.body),
  );
  assert.deepEqual(decoded.body.payloads, [plain]);
  assert.equal(decoded.headers['access-control-allow-origin'], ui);
});

test('a program needs the token', async () => {
  const body = JSON.stringify({ payloads: [plain] });
  assert.equal(
    (await send('POST', '/decode', { authorization: 'Bearer t0ken' }, body)).status,
    200,
  );
  for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: '' }])
    assert.equal(
      (await send('POST', '/decode', headers as Record<string, string>, body)).status,
      403,
    );
});

test('other pages and other names are refused, token or not', async () => {
  const authorization = 'Bearer t0ken';
  for (const headers of [
    { origin: 'http://evil.example', authorization },
    { origin: 'null', authorization },
    { origin: `${ui}.evil.example` },
    { origin: ui, host: `evil.example:${port}` },
    { authorization, host: 'evil.example' },
  ] as Record<string, string>[]) {
    const refused = await send('POST', '/decode', headers, JSON.stringify({ payloads: [plain] }));
    assert.equal(refused.status, 403);
    assert.equal(refused.body.payloads, undefined);
  }
});

test('what is no question of the protocol is told so', async () => {
  const headers = { origin: ui };
  assert.equal((await send('POST', '/other', headers)).status, 404);
  assert.equal((await send('GET', '/decode', headers)).status, 405);
  for (const [body, message] of [
    ['{', /not JSON/],
    ['{}', /Expected \{"payloads"/],
  ] as const) {
    const { status, body: said } = await send('POST', '/decode', headers, body);
    assert.equal(status, 400);
    assert.match(said.message ?? '', message);
  }
});
