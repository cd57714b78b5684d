/** Who can reach the local stack: its owner, and nobody else. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';
import type { StackFile } from '../../config/stack.ts';
import { findObstacle } from '../../workers/stack/private-network.ts';
import { watchSockets } from '../../workers/stack/sockets.ts';
import { agent, createMachine } from '../setup/cli.ts';
import type { Machine } from '../setup/cli.ts';
import { listPorts } from '../setup/sockets.ts';
import { waitFor } from '../setup/wait-for.ts';

const obstacle = await findObstacle();
const isRoot = process.getuid?.() === 0;
const temporalCli = process.env['AGENT_TEMPORAL_CLI'] || 'temporal';

const readStackFile = (machine: Machine): StackFile =>
  JSON.parse(readFileSync(join(machine.state, 'stack.json'), 'utf8')) as StackFile;
const portOf = (url: string): number => Number(new URL(url).port);

/** All ports of a running stack that this machine's network knows. */
const portsOf = ({ pid, parts = [] }: StackFile): number[] =>
  listPorts([pid, ...parts.map((part) => part.pid)]);

interface Attack {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const send = (port: number, { method = 'POST', path, headers = {} }: Attack): Promise<number> =>
  new Promise((resolve) => {
    const question = request({ host: '127.0.0.1', port, method, path, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    // No HTTP at all, or closed at once: refused as well.
    question.on('error', () => resolve(0));
    question.end(
      method === 'POST'
        ? '{"workflowType":{"name":"agentRun"},"taskQueue":{"name":"dev-agent-run"}}'
        : '',
    );
  });

const startPath = '/api/v1/namespaces/default/workflows/planted';
const paths = [startPath, '/codec/decode', '/status', '/down', '/v1/responses', '/v1/models'];
const attacks: readonly Attack[] = paths.flatMap((path): Attack[] => [
  { path },
  { path, method: 'GET' },
  { path, headers: { 'content-type': 'text/plain', origin: 'http://evil.example' } },
  { path, headers: { host: 'evil.example', 'content-type': 'text/plain' } },
  { path, headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' } },
  { path, headers: { authorization: 'Bearer wrong' } },
]);

/** Runs something as a user of this machine who is not the operator. */
const asNobody = async (file: string, args: readonly string[]): Promise<string> => {
  const { stdout, stderr } = await promisify(execFile)(
    'setpriv',
    ['--reuid=65534', '--regid=65534', '--clear-groups', file, ...args],
    { env: { PATH: process.env['PATH'], HOME: '/nonexistent' }, timeout: 30_000 },
  ).catch((error: unknown) => error as { stdout: string; stderr: string });
  return `${stdout}${stderr}`;
};

suite('a running stack', { skip: obstacle ?? false }, () => {
  const machine = createMachine();
  const workspace = join(machine.root, 'workspace');
  let stack: StackFile;

  const listRuns = async (): Promise<string> => {
    const { stdout } = await machine.run('temporal', '--', 'workflow', 'list', '--output', 'json');
    return stdout;
  };

  before(async () => {
    await mkdir(workspace);
    const { code, stderr } = await machine.run(
      'run',
      '--demo',
      '-C',
      workspace,
      '--id',
      'own',
      'Look',
    );
    assert.equal(code, 0, stderr);
    stack = readStackFile(machine);
  });
  after(() => machine.stop());

  test('listens on the ports of its own servers and on none of Temporal', () => {
    const own = [stack.control, stack.webUi, stack.demo ?? ''].map(portOf);
    assert.deepEqual(
      portsOf(stack),
      own.toSorted((a, b) => a - b),
    );
    assert.match(stack.temporal, /^unix:/);
    assert.equal(stack.exposed, undefined);
  });

  test('answers no page, no other name and nobody without its secret', async () => {
    for (const port of portsOf(stack)) {
      for (const attack of attacks) {
        const status = await send(port, attack);
        assert.ok([401, 403].includes(status), `${port} ${JSON.stringify(attack)}: ${status}`);
      }
    }
    assert.doesNotMatch(await listRuns(), /planted/);
  });

  test('is not there for another user of the machine', { skip: !isRoot }, async () => {
    const socket = stack.temporal.replace('unix:', '');
    assert.equal(statSync(dirname(socket)).mode & 0o777, 0o700);
    const dial = `require('net').connect(${JSON.stringify(socket)}).on('connect', () => console.log('in')).on('error', (e) => console.log(e.code))`;
    assert.match(await asNobody(process.execPath, ['-e', dial]), /^EACCES$/m);
    const addresses = [...portsOf(stack).map((port) => `127.0.0.1:${port}`), '127.0.0.1:7233'];
    for (const address of addresses) {
      const said = await asNobody(temporalCli, [
        'workflow',
        'start',
        '--address',
        address,
        '--command-timeout',
        '3s',
        '--type',
        'agentRun',
        '--task-queue',
        'dev-agent-run',
        '--workflow-id',
        'planted',
        '--input',
        '{"run":"planted","goal":"x","workspace":"/root"}',
      ]);
      assert.doesNotMatch(said, /Running execution/, `${address}: ${said}`);
    }
    assert.doesNotMatch(await listRuns(), /planted/);
  });

  test('is reached by its owner with the Temporal CLI, whose exit code counts', async () => {
    assert.match(await listRuns(), /"run-own"/);
    const missing = await machine.run('temporal', '--', 'workflow', 'describe', '-w', 'absent');
    assert.equal(missing.code, 1);
  });

  test('leaves no socket and no process', async () => {
    const { parts = [] } = readStackFile(machine);
    await machine.run('down');
    assert.ok(!existsSync(dirname(stack.temporal.replace('unix:', ''))));
    for (const { pid } of parts) assert.ok(!existsSync(`/proc/${pid}`));
  });
});

test(
  'a state folder with a long path has its sockets elsewhere, as private',
  { skip: obstacle ?? false },
  async (t) => {
    const long = join('/tmp', `agent-long-${process.pid}`, 'x'.repeat(120));
    const machine = createMachine({ AGENT_STATE_DIR: long });
    t.after(async () => {
      await machine.stop();
      await promisify(execFile)('rm', ['-rf', dirname(long)]);
    });
    const read = async (): Promise<string> => {
      const { code, stderr } = await machine.run('up', '--json');
      assert.equal(code, 0, stderr);
      const { temporal } = JSON.parse(readFileSync(join(long, 'stack.json'), 'utf8')) as StackFile;
      return temporal.replace('unix:', '');
    };
    const socket = await read();
    assert.ok(!socket.startsWith(long) && Buffer.byteLength(socket) < 104);
    const folder = statSync(dirname(socket));
    assert.equal(folder.mode & 0o777, 0o700);
    assert.equal(folder.uid, process.getuid?.());
    await machine.run('down');
    assert.ok(!existsSync(dirname(socket)));
    assert.equal(await read(), socket);
  },
);

test(
  'a stack whose sockets are cleaned up heals by itself, elsewhere if need be',
  { skip: obstacle ?? false, timeout: 180_000 },
  async (t) => {
    const base = mkdtempSync('/tmp/agent-clean-');
    const runtime = join(base, 'runtime');
    mkdirSync(runtime, { mode: 0o700 });
    const state = join(base, 'x'.repeat(120));
    const machine = createMachine({ AGENT_STATE_DIR: state, XDG_RUNTIME_DIR: runtime });
    t.after(async () => {
      await machine.stop();
      rmSync(base, { recursive: true, force: true });
    });
    const shop = join(machine.root, 'shop');
    await mkdir(shop);
    const findSocket = (): string =>
      (JSON.parse(readFileSync(join(state, 'stack.json'), 'utf8')) as StackFile).temporal.replace(
        'unix:',
        '',
      );
    const waitForSocket = (fits: (socket: string) => boolean): Promise<true> =>
      waitFor('the sockets', () => fits(findSocket()) && existsSync(findSocket()), 60_000);
    const work = async (): Promise<void> => {
      const { code, stderr } = await machine.run('run', '--demo', '-C', shop, 'List the files');
      assert.equal(code, 0, stderr);
      const listed = await machine.run('temporal', '--', 'workflow', 'list');
      assert.equal(listed.code, 0, listed.stderr);
    };
    await work();
    const first = findSocket();
    assert.ok(first.startsWith(`${runtime}/dev-agent-`), first);

    rmSync(dirname(first), { recursive: true });
    await waitForSocket((socket) => socket === first);
    await work();

    rmSync(runtime, { recursive: true });
    await waitForSocket((socket) => socket !== first);
    assert.equal(statSync(dirname(findSocket())).mode & 0o777, 0o700);
    await work();
  },
);

test('what is touched looks used to a cleaner', (t) => {
  const folder = mkdtempSync('/tmp/agent-touch-');
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'temporal.sock');
  writeFileSync(file, '');
  for (const path of [folder, file]) utimesSync(path, 0, 0);
  watchSockets(folder).touch();
  for (const path of [folder, file])
    assert.ok(
      Date.now() - statSync(path).mtimeMs < 60_000 && Date.now() - statSync(path).atimeMs < 60_000,
    );
});

suite('where bubblewrap does not do what it should', { skip: obstacle ?? false }, () => {
  const machine = createMachine();
  const bubblewrap = join(machine.root, 'bwrap');
  after(() => machine.stop());

  /** A command on this machine, had it the other bubblewrap. */
  const withBubblewrap = async (
    script: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<{ readonly code: number; readonly stderr: string }> => {
    const fake = join(machine.root, 'fake.sh');
    writeFileSync(fake, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    copyFileSync('/usr/bin/bwrap', bubblewrap);
    const mounts = ['--dev-bind', '/', '/', '--ro-bind', fake, '/usr/bin/bwrap'];
    const options = { env: { ...machine.env, ...env }, cwd: machine.root };
    const done = promisify(execFile)(
      bubblewrap,
      [...mounts, process.execPath, agent, ...args],
      options,
    );
    return await done.then(
      ({ stderr }) => ({ code: 0, stderr }),
      (error: unknown) => error as { code: number; stderr: string },
    );
  };
  const broken = 'echo "bwrap: No permissions to create new namespace" >&2; exit 1';

  test('a stack that was never private goes on with a port, and says so', async () => {
    const { code, stderr } = await withBubblewrap(broken, ['up']);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /every user of this machine can reach Temporal.*No permissions/);
    await machine.run('down');
  });

  test('one attempt that takes long opens no port', async () => {
    const slow = `mkdir ${join(machine.root, 'asked')} 2>/dev/null && exec sleep 600; exec ${bubblewrap} "$@"`;
    const { code, stderr } = await withBubblewrap(slow, ['up']);
    assert.equal(code, 0, stderr);
    assert.match(readStackFile(machine).temporal, /^unix:/);
    await machine.run('down');
  });

  test('a stack that was private does not start with a port, unless the operator accepts it', async () => {
    const refused = await withBubblewrap(broken, ['up']);
    assert.equal(refused.code, 78, refused.stderr);
    assert.match(refused.stderr, /No permissions to create.*AGENT_UNSAFE_TEMPORAL_PORT=true/);
    const unsafe = { AGENT_UNSAFE_TEMPORAL_PORT: 'true' };
    const accepted = await withBubblewrap(broken, ['up'], unsafe);
    assert.equal(accepted.code, 0, accepted.stderr);
    assert.match(readStackFile(machine).temporal, /^127/);
    await machine.run('down');
    assert.equal((await withBubblewrap(broken, ['up'])).code, 78, 'accepted for once');
  });
});

suite('with AGENT_UNSAFE_TEMPORAL_PORT, as where there is no network of its own', () => {
  const machine = createMachine({ AGENT_UNSAFE_TEMPORAL_PORT: 'true' });
  after(() => machine.stop());

  test('the person is told, and web pages are still refused on every port', async () => {
    const { code, stderr } = await machine.run('up');
    assert.equal(code, 0);
    assert.match(
      stderr,
      /every user of this machine can reach Temporal.*AGENT_UNSAFE_TEMPORAL_PORT/,
    );
    const stack = readStackFile(machine);
    assert.match(stack.temporal, /^127\.0\.0\.1:\d+$/);
    const ports = portsOf(stack);
    assert.ok(ports.includes(Number(stack.temporal.split(':')[1])) && ports.length > 4);
    for (const port of ports) {
      for (const attack of attacks) {
        const status = await send(port, attack);
        assert.ok(
          ![200, 201, 204].includes(status),
          `${port} ${JSON.stringify(attack)}: ${status}`,
        );
      }
    }
    const listed = await machine.run('temporal', '--', 'workflow', 'list', '--output', 'json');
    assert.equal(listed.code, 0);
    assert.doesNotMatch(listed.stdout, /planted/);
  });

  test('its Web UI opens with the key', async () => {
    const { stdout } = await machine.run('ps', '--json');
    const { webUi } = JSON.parse(stdout) as StackFile;
    const opened = await fetch(webUi);
    const [cookie = ''] = (opened.headers.get('set-cookie') ?? '').split(';');
    const settings = await fetch(`${new URL(webUi).origin}/api/v1/settings`, {
      headers: { cookie },
    });
    assert.equal(settings.status, 200);
  });
});
