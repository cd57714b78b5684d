/** What a command that was given the network reaches, and what it does not. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { authorize } from '../../activities/network/authorize.ts';
import { createProxy } from '../../activities/network/proxy.ts';
import type { NetworkRequest } from '../../activities/network/proxy.ts';
import { decide } from '../../policies/decide.ts';
import { parsePolicy } from '../../policies/parse.ts';
import type { Policy } from '../../policies/policy.ts';
import { shippedDir } from '../policies/cases.ts';
import { createWorld } from './attack-world.ts';
import type { World } from './attack-world.ts';
import { speak } from './proxy-client.ts';
import { builtIn } from '../../tools/built-in.ts';

const read = (name: string): string => readFileSync(join(shippedDir, name), 'utf8');

function toPolicy(network: object): Policy {
  const files = { tools: read('tools.yaml'), paths: read('paths.yaml') };
  const parsed = parsePolicy({ ...files, network: JSON.stringify({ version: 1, ...network }) });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.policy;
}

interface Host {
  readonly port: number;
  readonly seen: IncomingMessage[];
}

/** A server that answers with what it was asked. */
async function startHost(t: { after(fn: () => void): void }, address = '127.0.0.1'): Promise<Host> {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    if (request.url === '/echo') return void request.pipe(response);
    response.end(`${request.method} ${request.url} ${request.headers.host}`);
  });
  server.listen(0, address);
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, seen };
}

const ask = (url: string, more = ''): string =>
  `GET ${url} HTTP/1.1\r\nHost: other.test\r\nProxy-Authorization: x\r\n${more}\r\n`;

const never = () => Promise.reject(new Error('looked up'));

suite('the proxy', () => {
  test('each request on a connection is judged, sent to the address that was checked, and noted', async (t) => {
    const { port, seen } = await startHost(t);
    const policy = toPolicy({ allow: [`listed.test:${port}`] });
    const log: NetworkRequest[] = [];
    const asked: string[] = [];
    const proxy = createProxy({
      policy,
      log: (entry) => Promise.resolve(log.push(entry)),
      resolve: (host) => {
        asked.push(host);
        // Answers otherwise the second time: whoever looks up again would go elsewhere.
        return Promise.resolve(asked.length === 1 ? ['127.0.0.1'] : ['169.254.169.254']);
      },
    });
    const last = 'Connection: close\r\n';
    const answer = await speak(
      proxy,
      ask(`http://listed.test:${port}/a?b`) + ask('http://evil.test/', last),
    );
    assert.match(answer, new RegExp(`GET /a\\?b listed\\.test:${port}`));
    assert.equal(answer.match(/HTTP\/1\.1 403/g)?.length, 1, answer);
    assert.equal(seen.length, 1);
    assert.equal(seen[0]?.headers['proxy-authorization'], undefined);
    assert.deepEqual(asked, ['listed.test'], 'a host that is not listed is not looked up');
    assert.deepEqual(log.map(({ host, verdict }) => `${host} ${verdict}`).toSorted(), [
      'evil.test deny',
      'listed.test allow',
    ]);
    const second = await speak(proxy, ask(`http://listed.test:${port}/again`, last));
    assert.match(second, /HTTP\/1\.1 403.*169\.254\.169\.254/s);
    assert.equal(seen.length, 1);
  });

  test('a tunnel leads to what was judged and nowhere else', async (t) => {
    const { port } = await startHost(t);
    const proxy = createProxy({
      policy: toPolicy({
        allow: [`listed.test:${port}`, { host: 'getonly.test', ports: [port], methods: ['GET'] }],
      }),
      log: () => Promise.resolve(),
      resolve: () => Promise.resolve(['127.0.0.1']),
    });
    const through = await speak(
      proxy,
      `CONNECT listed.test:${port} HTTP/1.1\r\n\r\nGET /in HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    assert.match(through, /^HTTP\/1\.1 200 .*GET \/in x/s);
    const refused = [
      `listed.test:${port + 1}`,
      `getonly.test:${port}`,
      `127.0.0.1:${port}`,
      `[::ffff:7f00:1]:${port}`,
    ];
    for (const target of refused)
      assert.match(
        await speak(proxy, `CONNECT ${target} HTTP/1.1\r\n\r\n`),
        /^HTTP\/1\.1 403/,
        target,
      );
    for (const target of ['listed.test', `u@listed.test:${port}`, `listed.test:${port}/x`, 'x y:1'])
      assert.match(
        await speak(proxy, `CONNECT ${target} HTTP/1.1\r\n\r\n`),
        /^HTTP\/1\.1 400/,
        target,
      );
    assert.match(
      await speak(proxy, 'GET /origin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
      /^HTTP\/1\.1 400/,
    );
  });

  test('what cannot be noted does not happen', async (t) => {
    const { port, seen } = await startHost(t);
    const proxy = createProxy({
      policy: toPolicy({ allow: [`listed.test:${port}`] }),
      log: () => Promise.reject(new Error('the disk is full')),
      resolve: () => Promise.resolve(['127.0.0.1']),
    });
    const answer = await speak(
      proxy,
      `GET http://listed.test:${port}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    assert.match(answer, /^HTTP\/1\.1 502.*disk is full/s);
    assert.equal(seen.length, 0);
  });
});

suite('addresses', () => {
  const policy = toPolicy({ allow: ['named.test', 'named.test:8080', '127.0.0.1:9', '[::1]:9'] });
  const inward = [
    '127.0.0.1',
    '10.1.2.3',
    '172.20.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '::1',
    '::',
    'fe80::1',
    'fc00::1',
    '::ffff:127.0.0.1',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '::ffff:0:127.0.0.1',
    'fd00:ec2::254',
    '168.63.129.16',
    'ff02::1',
    '64:ff9b:1::7f00:1',
  ];
  for (const address of inward)
    test(`a name without a port does not lead to ${address}, nor beside a good one`, async () => {
      for (const answers of [[address], ['93.184.216.34', address]]) {
        const { decision, addresses } = await authorize('http://named.test/', policy, () =>
          Promise.resolve(answers),
        );
        assert.equal(decision.verdict, 'deny', answers.join());
        assert.deepEqual(addresses, []);
      }
    });

  const ofNamed = async (address: string): Promise<string> => {
    const resolve = () => Promise.resolve([address]);
    return (await authorize('http://named.test:8080/', policy, resolve)).decision.verdict;
  };

  test('a name with its port may lead to a private address, never to a metadata service', async () => {
    assert.equal(await ofNamed('192.168.1.5'), 'allow');
    assert.equal(await ofNamed('169.254.169.254'), 'deny');
    assert.equal(await ofNamed('::ffff:169.254.169.254'), 'deny');
  });

  test('an address as it stands needs no look-up, a name that has none is refused', async () => {
    assert.deepEqual((await authorize('http://[::1]:9/', policy, never)).addresses, ['::1']);
    assert.deepEqual((await authorize('http://0x7f.1:9/', policy, never)).addresses, ['127.0.0.1']);
    assert.equal((await authorize('http://named.test/', policy, never)).decision.verdict, 'deny');
  });
});

test('a command with the network reaches beyond: it is never run twice', () => {
  const policy = toPolicy({ commands: ['node -e', 'ls'], allow: [] });
  const effectOf = (command: string) =>
    decide(policy, builtIn.toAction({ tool: 'run_command', args: { command }, workspace: '/w' }))
      .effect;
  assert.equal(effectOf('node -e 1'), 'external');
  assert.equal(effectOf('cat a && ls | wc -l'), 'external');
  assert.equal(effectOf('node --version'), 'workspace');
});

// Loopback as well, but not what the usual variables keep from a proxy.
const other = '127.0.0.2';

suite('a sandboxed command', () => {
  let world: World;
  let host: Host;
  const closing: (() => void)[] = [];
  before(async () => {
    host = await startHost({ after: (fn) => closing.push(fn) }, other);
    world = await createWorld({
      network: { commands: ['node net.js'], allow: [`${other}:${host.port}`] },
    });
    writeFileSync(join(world.workspace, 'net.js'), probe);
    writeFileSync(join(world.workspace, 'other.js'), probe);
  });
  after(async () => {
    for (const close of closing) close();
    await world.close();
  });

  test('gets what the policy lists through the proxy, and nothing else', async (t) => {
    if (!world.sandboxed) return t.skip('no sandbox here');
    const listed = `http://${other}:${host.port}/x`;
    const argv = [
      'node',
      'net.js',
      listed,
      `http://${other}:${host.port + 1}/`,
      'http://example.com/',
      'https://example.com/',
    ];
    const { text, ok } = await world.call('run_command', { argv });
    assert.ok(ok, text);
    assert.match(text, new RegExp(`200 GET /x 127\\.0\\.0\\.2:${host.port}`));
    assert.equal(text.match(/^http:.*403/gm)?.length, 2, text);
    assert.match(text, /^https:.*failed/m);
    assert.match(text, /direct ECONNREFUSED/);
    assert.match(text, /dns E[A-Z]+/);
    assert.match(text, /unix EPERM/);
    assert.match(text, /outside ENETUNREACH/);
    assert.match(text, /udp E[A-Z]+/);
    assert.equal(host.seen.length, 1);
    const noted = (await world.record()).filter(({ kind }) => kind === 'network');
    assert.deepEqual(
      noted.map(({ host: name, port, verdict }) => [name, port, verdict].join(' ')),
      [
        `${other} ${host.port} allow`,
        `${other} ${host.port + 1} deny`,
        'example.com 80 deny',
        'example.com 443 deny',
      ],
    );
  });

  test('many connections at once carry what was sent', async (t) => {
    if (!world.sandboxed) return t.skip('no sandbox here');
    writeFileSync(join(world.workspace, 'net.js'), bulk);
    const { text } = await world.call('run_command', {
      argv: ['node', 'net.js', `http://${other}:${host.port}/echo`],
    });
    assert.match(text, /^exit code 0\n8 of 8 the same\n$/);
    writeFileSync(join(world.workspace, 'net.js'), probe);
  });

  test('has none when it is not listed', async (t) => {
    if (!world.sandboxed) return t.skip('no sandbox here');
    const { text } = await world.call('run_command', {
      argv: ['node', 'other.js', `http://${other}:${host.port}/y`],
    });
    assert.match(text, /^http:.*failed/m);
    assert.match(text, /proxy undefined/);
    assert.equal(host.seen.filter(({ url }) => url === '/y').length, 0);
  });

  test('ends with the exit code and the signals of the command itself', async (t) => {
    if (!world.sandboxed) return t.skip('no sandbox here');
    writeFileSync(join(world.workspace, 'net.js'), 'process.exit(Number(process.argv[2]))');
    assert.match(
      (await world.call('run_command', { argv: ['node', 'net.js', '7'] })).text,
      /^exit code 7/,
    );
    writeFileSync(join(world.workspace, 'net.js'), 'process.on("SIGTERM",()=>{});for(;;);');
    const late = await world.call('run_command', { argv: ['node', 'net.js'], timeoutSeconds: 1 });
    assert.match(late.text, /^stopped after 1 s/);
  });
});

/** Sends megabytes over several connections and compares what comes back. */
const bulk = `
const http = require('http'), { createHash, randomBytes } = require('crypto');
const one = () => new Promise((done, fail) => {
  const bytes = randomBytes(3_000_000), back = createHash('sha256');
  http.request(process.argv[2], { method: 'POST', agent: new http.Agent({ proxyEnv: process.env }) }, (answer) => answer
    .on('data', (chunk) => back.update(chunk))
    .on('end', () => done(back.digest('hex') === createHash('sha256').update(bytes).digest('hex'))))
    .on('error', fail).end(bytes);
});
Promise.all(Array.from({ length: 8 }, one)).then((all) => console.log(all.filter(Boolean).length, 'of', all.length, 'the same'));`;

/** Asks for each URL, and then tries to get out in other ways. */
const probe = `
const net = require('net'), dgram = require('dgram'), http = require('http'), https = require('https');
(async () => {
  for (const url of process.argv.slice(2)) {
    await new Promise((done) => (url.startsWith('https') ? https : http).get(url, async (r) => {
      let text = ''; for await (const chunk of r) text += chunk; done(console.log(url, r.statusCode, text)); })
      .on('error', (error) => done(console.log(url, 'failed', error.code ?? error.message))));
  }
  console.log('proxy', process.env.HTTP_PROXY);
  const attempt = (name, ...to) => new Promise((done) => net.connect(...to)
    .on('connect', () => done(console.log(name, 'connected'))).on('error', (e) => done(console.log(name, e.code))));
  await attempt('direct', Number(new URL(process.argv[2]).port), new URL(process.argv[2]).hostname);
  await attempt('outside', 53, '192.0.2.1');
  await attempt('unix', { path: 'socket' });
  await new Promise((done) => require('dns').lookup('example.com', (e) => done(console.log('dns', e?.code))));
  const udp = dgram.createSocket('udp4');
  await new Promise((done) => udp.on('error', (e) => done(console.log('udp', e.code))).send('x', 53, '192.0.2.1', (e) => done(console.log('udp', e?.code))));
  udp.close();
})();`;
