import { once } from 'node:events';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { ControlError, createControl } from '../../workers/stack/control.ts';
import { createServer } from 'node:net';

const findPort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
};

const port = await findPort();
const control = createControl('right-token', port, {
  '/echo': (body) => ({ heard: body }),
  '/picky': () => {
    throw new ControlError('Put it differently.');
  },
});
control.listen(port, '127.0.0.1');
await once(control, 'listening');
after(() => control.close());

interface Question {
  readonly path?: string;
  readonly method?: string;
  readonly token?: string;
  readonly host?: string;
  readonly body?: string;
  readonly more?: Readonly<Record<string, string>>;
}

const ask = ({
  path = '/echo',
  method = 'POST',
  token = 'right-token',
  host = `127.0.0.1:${port}`,
  body = '{"a":1}',
  more = {},
}: Question): Promise<{ status: number | undefined; text: string }> =>
  new Promise((resolve, reject) => {
    const headers = { host, authorization: `Bearer ${token}`, ...more };
    const question = request({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      let text = '';
      response.on('data', (bytes: Buffer) => (text += bytes.toString()));
      response.on('end', () => resolve({ status: response.statusCode, text }));
    });
    question.on('error', reject);
    question.end(body);
  });

test('whoever has the token is answered', async () => {
  assert.deepEqual(await ask({}), { status: 200, text: '{"heard":{"a":1}}' });
  assert.equal((await ask({ host: `localhost:${port}` })).status, 200);
});

for (const [what, question, status] of [
  ['a wrong token', { token: 'wrong-token' }, 401],
  ['an empty token', { token: '' }, 401],
  ['a name that was pointed to the loopback interface', { host: `evil.example:${port}` }, 403],
  ['another port in the Host header', { host: '127.0.0.1:1' }, 403],
  ['a page of the same machine', { more: { origin: 'http://127.0.0.1:8233' } }, 403],
  ['a page that sends no origin', { more: { 'sec-fetch-site': 'cross-site' } }, 403],
  ['GET', { method: 'GET', body: '' }, 405],
  ['an unknown path', { path: '/toString' }, 404],
  ['text that is not JSON', { body: '{' }, 400],
  ['JSON that is no object', { body: '[1]' }, 400],
  ['a body without end', { body: JSON.stringify({ a: 'x'.repeat(70_000) }) }, 400],
  ['a question the handler refuses', { path: '/picky' }, 400],
] as const) {
  test(`${what} is answered with ${status}`, async () => {
    const answer = await ask(question);
    assert.equal(answer.status, status);
    assert.ok((JSON.parse(answer.text) as { error: string }).error.length > 0);
  });
}
