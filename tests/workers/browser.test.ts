/** A web page against a running stack, in a real browser whose user has the Web UI open. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { toWebUi } from '../../config/stack.ts';
import type { StackFile } from '../../config/stack.ts';
import { chromium, startBrowser } from '../setup/browser.ts';
import type { Browser } from '../setup/browser.ts';
import { createMachine } from '../setup/cli.ts';
import { listPorts } from '../setup/sockets.ts';

const goal = 'Describe the vermilion shed';

suite('a web page', { skip: chromium === undefined ? 'no chromium here' : false }, () => {
  const keys = mkdtempSync(join(tmpdir(), 'agent-keys-'));
  const machine = createMachine({ AGENT_PAYLOAD_KEYS: join(keys, 'keys') });
  let browser: Browser;
  let stack: StackFile;
  let ports: readonly number[];
  const evil = createServer((_request, response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end('<title>evil</title>'),
  );

  before(async () => {
    const line = `k1 ${randomBytes(32).toString('base64')}\n`;
    await writeFile(join(keys, 'keys'), line, { mode: 0o600 });
    const workspace = join(machine.root, 'workspace');
    await mkdir(workspace);
    const ended = await machine.run('run', '--demo', '-C', workspace, '--id', 'own', goal);
    assert.equal(ended.code, 0, ended.stderr);
    stack = JSON.parse(readFileSync(join(machine.state, 'stack.json'), 'utf8')) as StackFile;
    ports = listPorts([stack.pid, ...(stack.parts ?? []).map(({ pid }) => pid)]);
    evil.listen(0, '127.0.0.1');
    await once(evil, 'listening');
    browser = await startBrowser(['evil.example']);
    await browser.open(toWebUi(stack) ?? '');
  });
  after(async () => {
    await browser.close();
    evil.close();
    await machine.stop();
    await rm(keys, { recursive: true, force: true });
  });

  const listRuns = async (): Promise<string> =>
    (await machine.run('temporal', '--', 'workflow', 'list', '--output', 'json')).stdout;

  test('of the Web UI shows the run and what is in its payloads', async () => {
    await browser.waitForText('run-own');
    await browser.open(`${stack.webUi}/namespaces/default/workflows/run-own`);
    await browser.waitForText(goal);
  });

  test('on another port of the machine starts nothing and reads nothing', async () => {
    const { port } = evil.address() as AddressInfo;
    for (const name of ['127.0.0.1', 'localhost', 'evil.example']) {
      await browser.open(`http://${name}:${port}/`);
      const read = await browser.evaluate(`(async () => {
        const body = JSON.stringify({ workflowType: { name: 'agentRun' }, taskQueue: { name: 'dev-agent-run' } });
        const seen = [];
        for (const port of ${JSON.stringify(ports)})
          for (const host of ['127.0.0.1', 'localhost'])
            for (const path of ['/api/v1/namespaces/default/workflows/planted', '/codec/decode', '/down', '/v1/responses'])
              for (const mode of ['no-cors', 'cors'])
                for (const method of ['POST', 'GET'])
                  await fetch('http://' + host + ':' + port + path, { method, mode, credentials: 'include', ...(method === 'POST' ? { body, headers: { 'content-type': 'text/plain' } } : {}) })
                    .then(async (answer) => { if (answer.type !== 'opaque') seen.push(path + await answer.text()); }, () => undefined);
        return seen;
      })()`);
      assert.deepEqual(read, [], name);
    }
    assert.doesNotMatch(await listRuns(), /planted/);
    assert.equal((await machine.run('ps')).code, 0, 'the stack is still up');
  });

  test('whose name was pointed to the stack is refused as its own origin', async () => {
    for (const port of ports) {
      await browser.open(`http://evil.example:${port}/`);
      const answers = await browser.evaluate(`(async () => {
        const seen = [];
        for (const path of ['/', '/api/v1/settings', '/api/v1/namespaces/default/workflows/planted', '/codec/decode', '/down', '/v1/responses'])
          for (const method of ['GET', 'POST'])
            for (const headers of [{}, { authorization: 'x' }])
              seen.push((await fetch(path, { method, headers })).status);
        return [...new Set(seen)];
      })()`);
      assert.deepEqual(answers, [403], String(port));
    }
    assert.doesNotMatch(await listRuns(), /planted/);
  });
});
