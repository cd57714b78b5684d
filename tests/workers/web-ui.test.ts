/** The door to the Web UI: who is let in, and who is not. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { IncomingHttpHeaders, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { createPayloadCodec } from '../../audit/record/keys/payload-codec.ts';
import { createCodecAnswers } from '../../workers/stack/codec.ts';
import { createWebUi } from '../../workers/stack/web-ui.ts';
import { findFreePort } from '../setup/time-skipping.ts';

const key = randomBytes(32);
const keys = { file: 'keys', active: { id: 'k1', key }, ids: ['k1'], find: () => key };
let temporal: Server;
let door: Server;
let port: number;
let cookie: string;
/** What got through to Temporal's own Web UI. */
const reached: string[] = [];

interface Question {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const ask = ({ method = 'GET', path = '/api/v1/settings', headers = {}, body = '' }: Question) =>
  new Promise<{ status: number; headers: IncomingHttpHeaders; text: string }>((resolve, reject) => {
    const question = request({ host: '127.0.0.1', port, method, path, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    });
    question.on('error', reject);
    question.end(body);
  });

before(async () => {
  temporal = createServer((incoming, response) => {
    reached.push(`${incoming.method} ${incoming.url}`);
    incoming.resume().on('end', () => response.end('temporal'));
  });
  temporal.listen(0, '127.0.0.1');
  await once(temporal, 'listening');
  port = await findFreePort();
  door = createWebUi({
    port,
    key: 'the-key',
    token: 't0ken',
    upstream: () => ({ host: '127.0.0.1', port: (temporal.address() as AddressInfo).port }),
    codec: createCodecAnswers(createPayloadCodec({ keys })),
  });
  door.listen(port, '127.0.0.1');
  await once(door, 'listening');
  const opened = await ask({ path: '/open/the-key' });
  assert.equal(opened.status, 200);
  const [set = ''] = opened.headers['set-cookie'] ?? [];
  assert.match(set, /; HttpOnly; SameSite=Strict; Path=\/$/);
  cookie = set.slice(0, set.indexOf(';'));
});
after(() => {
  for (const server of [door, temporal]) {
    server.close();
    server.closeAllConnections();
  }
});

const own = (): string => `http://127.0.0.1:${port}`;

test('whoever opened it with the key, and whoever has the token, gets through', async () => {
  assert.equal((await ask({ headers: { cookie } })).text, 'temporal');
  assert.equal((await ask({ headers: { authorization: 'Bearer t0ken' } })).status, 200);
  const post = { method: 'POST', headers: { cookie, origin: own() }, body: '{}' };
  assert.equal((await ask(post)).status, 200);
});

test('a link from elsewhere opens a page, but shows it in no frame', async () => {
  const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
  const opened = await ask({ headers: { cookie, ...link, 'sec-fetch-dest': 'document' } });
  assert.equal(opened.status, 200);
  assert.equal(opened.headers['x-frame-options'], 'DENY');
  const framed = await ask({ headers: { cookie, ...link, 'sec-fetch-dest': 'iframe' } });
  assert.equal(framed.status, 403);
});

test('localhost leads to the name the cookie is for', async () => {
  const answer = await ask({ path: '/open/the-key', headers: { host: `localhost:${port}` } });
  assert.deepEqual(
    [answer.status, answer.headers.location, answer.headers['set-cookie']],
    [302, `${own()}/open/the-key`, undefined],
  );
});

const foreign: readonly (readonly [string, () => Question])[] = [
  ['nobody', () => ({})],
  ['a wrong key', () => ({ path: '/open/other' })],
  ['an empty key', () => ({ path: '/open/' })],
  ['the key with more behind it', () => ({ path: '/open/the-key/' })],
  ['a wrong cookie', () => ({ headers: { cookie: `dev-agent-${port}=x` } })],
  ['a cookie of another name', () => ({ headers: { cookie: cookie.replace('dev-', 'x-') } })],
  ['a wrong token', () => ({ headers: { authorization: 'Bearer wrong' } })],
  ['a name pointed to loopback', () => ({ headers: { cookie, host: `evil.example:${port}` } })],
  ['a name without a port', () => ({ headers: { cookie, host: '127.0.0.1' } })],
  ['another port', () => ({ headers: { cookie, host: '127.0.0.1:1' } })],
  [
    'a post to localhost',
    () => ({ method: 'POST', headers: { cookie, host: `localhost:${port}` } }),
  ],
  ['a page elsewhere', () => ({ headers: { cookie, origin: 'http://evil.example' } })],
  ['a page on another port', () => ({ headers: { cookie, origin: 'http://127.0.0.1:1' } })],
  ['a page without an origin', () => ({ headers: { cookie, origin: 'null' } })],
  ['a script elsewhere', () => ({ headers: { cookie, 'sec-fetch-site': 'cross-site' } })],
  ['a script on another port', () => ({ headers: { cookie, 'sec-fetch-site': 'same-site' } })],
  [
    'a form on another port',
    () => ({
      method: 'POST',
      headers: {
        cookie,
        'sec-fetch-site': 'same-site',
        'sec-fetch-mode': 'navigate',
        'sec-fetch-dest': 'document',
        'content-type': 'text/plain',
      },
    }),
  ],
];
for (const [who, question] of foreign) {
  for (const path of ['/api/v1/settings', '/codec/decode']) {
    test(`${who} is refused ${path}`, async () => {
      reached.length = 0;
      const { status, headers } = await ask({ path, ...question() });
      assert.equal(status, 403);
      assert.equal(headers['set-cookie'], undefined);
      assert.deepEqual(reached, []);
    });
  }
}

const plain = {
  metadata: { encoding: Buffer.from('json/plain').toString('base64') },
  data: Buffer.from('"hello"').toString('base64'),
};
const convert = async (path: string, body: string, headers: Record<string, string>) => {
  const { status, text } = await ask({ method: 'POST', path, headers, body });
  return { status, body: JSON.parse(text) as { payloads?: object[]; message?: string } };
};

test('a page of the Web UI, and a program with the token, get payloads decoded', async () => {
  for (const headers of [{ cookie, origin: own() }, { authorization: 'Bearer t0ken' }] as Record<
    string,
    string
  >[]) {
    const sealed = await convert('/codec/encode', JSON.stringify({ payloads: [plain] }), headers);
    assert.notDeepEqual(sealed.body.payloads, [plain]);
    const opened = await convert('/codec/decode?namespace=x', JSON.stringify(sealed.body), headers);
    assert.deepEqual(opened.body.payloads, [plain]);
  }
});

test('what is no question of the codec’s protocol is told so', async () => {
  const headers = { authorization: 'Bearer t0ken' };
  assert.equal((await convert('/codec/other', '', headers)).status, 404);
  assert.equal((await ask({ path: '/codec/decode', headers })).status, 405);
  for (const [body, message] of [
    ['{', /not JSON/],
    ['{}', /Expected \{"payloads"/],
  ] as const) {
    const { status, body: said } = await convert('/codec/decode', body, headers);
    assert.equal(status, 400);
    assert.match(said.message ?? '', message);
  }
});
