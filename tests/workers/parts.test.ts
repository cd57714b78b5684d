import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { isRunning } from '../../config/process.ts';
import { ConfigError } from '../../config/environment.ts';
import { chooseAddresses, keepAddresses } from '../../workers/stack/addresses.ts';
import { createKeyring } from '../../workers/keyring.ts';
import { createLogFile } from '../../workers/log-file.ts';
import { createPart } from '../../workers/stack/part.ts';
import { parseRoles } from '../../workers/roles.ts';
import { createStartupStatus } from '../../workers/stack/startup-status.ts';
import { findTemporalCli, pinnedVersion } from '../../workers/stack/temporal-cli.ts';
import type { Part } from '../../workers/stack/part.ts';
import { waitFor } from '../setup/wait-for.ts';

const scratch = mkdtempSync(join(tmpdir(), 'agent-parts-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

const createScriptPart = (script: string): { part: Part; log: string } => {
  const log = join(mkdtempSync(join(scratch, 'part-')), 'part.log');
  const part = createPart({
    name: 'worker',
    log: createLogFile(log),
    spawn: () =>
      spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] }),
    waitForUp: async (child, signal) => {
      await new Promise<void>((resolve, reject) => {
        child.once('message', () => resolve());
        signal.addEventListener('abort', () => reject(new Error('ended')));
      });
    },
    onChange: () => undefined,
    graceMs: 300,
  });
  return { part, log };
};

const createProgram = (file: string): string => {
  writeFileSync(file, '#!/bin/sh\n');
  chmodSync(file, 0o755);
  return file;
};

test('a process that fails is started again, and says why it is not up', async () => {
  const { part } = createScriptPart('console.error("no luck today"); process.exit(3)');
  part.start();
  await waitFor('two restarts', () => part.view().restarts >= 2);
  const { state, reason } = part.view();
  assert.ok(state === 'restarting' || state === 'starting');
  assert.match(reason ?? '', /exit 3: .*no luck today/);
  await part.stop();
});

test('a process that cannot use its configuration is shown as failed', async () => {
  const { part } = createScriptPart('console.error("ALLOW_NET must be …"); process.exit(78)');
  part.start();
  await waitFor('failed', () => part.view().state === 'failed');
  assert.match(part.view().reason ?? '', /ALLOW_NET must be/);
  await part.stop();
});

test('a program that does not exist does not end the supervisor', async () => {
  const part = createPart({
    name: 'temporal',
    log: createLogFile(join(scratch, 'absent.log')),
    spawn: () => spawn(join(scratch, 'absent-program'), []),
    waitForUp: () => new Promise(() => undefined),
    onChange: () => undefined,
    graceMs: 100,
  });
  part.start();
  await waitFor('a restart', () => part.view().restarts >= 1);
  assert.match(readFileSync(join(scratch, 'absent.log'), 'utf8'), /ENOENT/);
  await part.stop();
});

test('a process that does not end when asked to is ended, and stays so', async () => {
  const { part, log } = createScriptPart(
    'process.on("SIGTERM", () => {}); process.send("up"); console.log("running"); setInterval(() => {}, 1000)',
  );
  part.start();
  await part.waitForUp();
  const [id] = part.ids();
  assert.ok(id !== undefined && isRunning(id));
  await part.stop();
  assert.ok(!isRunning(id));
  assert.match(readFileSync(log, 'utf8'), /running/);
  part.start();
  assert.deepEqual(part.ids(), []);
});

test('a full log becomes the old log, and only one is kept', () => {
  const path = join(scratch, 'small.log');
  const log = createLogFile(path, 100);
  for (const text of ['first\n'.repeat(15), 'second\n'.repeat(12), 'third\n'.repeat(12)]) {
    log.write(text);
  }
  log.close();
  assert.match(readFileSync(`${path}.1`, 'utf8'), /^(second\n)+$/);
  assert.match(readFileSync(path, 'utf8'), /^(third\n)+$/);
  assert.equal(log.lastLine(), 'third');
  assert.ok(!existsSync(`${path}.2`));
});

test('addresses are kept, and replaced where somebody else has the port', async () => {
  const root = mkdtempSync(join(scratch, 'addresses-'));
  const first = await chooseAddresses(root, 'laptop');
  assert.equal(new Set([first.temporal, first.webUi, first.control, first.demo]).size, 4);
  assert.deepEqual(await chooseAddresses(root, 'renamed'), first);
  const squatter = createServer().listen(first.temporal, '127.0.0.1');
  await once(squatter, 'listening');
  const moved = await chooseAddresses(root);
  squatter.close();
  assert.notEqual(moved.temporal, first.temporal);
  assert.equal(moved.webUi, first.webUi);
  writeFileSync(join(root, 'addresses.json'), 'damaged');
  assert.equal((await chooseAddresses(root, 'laptop')).host, 'laptop');
});

test('what is kept of addresses at different times is all there at the next start', async () => {
  const root = mkdtempSync(join(scratch, 'kept-'));
  await chooseAddresses(root);
  keepAddresses(root, { sockets: '/somewhere' });
  keepAddresses(root, { demoUsed: true });
  const { sockets, demoUsed } = await chooseAddresses(root);
  assert.deepEqual({ sockets, demoUsed }, { sockets: '/somewhere', demoUsed: true });
});

test('a key goes to the server it was given for, and to no other', () => {
  const keyring = createKeyring({ baseUrl: 'https://api.example/v1', apiKey: 'mine' });
  keyring.accept({ type: 'key', baseUrl: 'http://127.0.0.1:1234/v1/', apiKey: 'local' });
  for (const noise of [null, 'key', { type: 'key', baseUrl: 1, apiKey: 'x' }, { type: 'other' }]) {
    keyring.accept(noise);
  }
  assert.equal(keyring.keyOf('https://api.example/v1/'), 'mine');
  assert.equal(keyring.keyOf('http://127.0.0.1:1234/v1'), 'local');
  assert.equal(keyring.keyOf('http://evil.example/v1'), undefined);
});

test('roles are all by default, and a wrong one is a configuration error', () => {
  assert.deepEqual([...parseRoles(undefined)], ['run', 'model', 'workspace']);
  assert.deepEqual([...parseRoles(' model , run')], ['model', 'run']);
  assert.throws(() => parseRoles('model,root'), ConfigError);
});

test('whoever waits for the start hears each line once, and the end', async () => {
  const startup = createStartupStatus(60_000);
  const waiting = startup.waitForNews(0);
  startup.say('fetching');
  assert.deepEqual(await waiting, { state: 'starting', progress: ['fetching'] });
  const next = startup.waitForNews(1);
  startup.set('failed', { message: 'no network', exitCode: 69 });
  assert.deepEqual(await next, {
    state: 'failed',
    progress: [],
    problem: { message: 'no network', exitCode: 69 },
  });
});

test('the Temporal CLI is the operator’s, else the one on PATH, else the one fetched earlier', () => {
  const onPath = join(scratch, 'bin');
  const cacheDir = join(scratch, 'cache');
  mkdirSync(onPath);
  mkdirSync(join(cacheDir, 'bin'), { recursive: true });
  const path = [join(scratch, 'nowhere'), onPath].join(delimiter);
  assert.equal(findTemporalCli({ cacheDir, path }), undefined);
  const fetched = createProgram(join(cacheDir, 'bin', `temporal-${pinnedVersion}`));
  assert.equal(findTemporalCli({ cacheDir, path }), fetched);
  writeFileSync(join(onPath, 'temporal'), 'not executable');
  assert.equal(findTemporalCli({ cacheDir, path }), fetched);
  const installed = createProgram(join(onPath, 'temporal'));
  assert.equal(findTemporalCli({ cacheDir, path }), installed);
  assert.equal(findTemporalCli({ cacheDir, path, temporalCli: '/opt/x' }), '/opt/x');
});
