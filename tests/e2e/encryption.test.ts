/** Runs whose history is encrypted, with a key that is rotated in between. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { RunEvent } from '../../audit/events/events.ts';
import type { StackFile } from '../../config/stack.ts';
import { callsInTurn } from '../model-server/scripts.ts';
import { startModelServer } from '../model-server/server.ts';
import type { ModelServer } from '../model-server/server.ts';
import { createMachine, parseEvents } from '../setup/cli.ts';
import type { Ended, Machine } from '../setup/cli.ts';

const goal = 'Paint the shed in vermilion';
const newKey = (): string => randomBytes(32).toString('base64');
const [first, second, third] = [newKey(), newKey(), newKey()];

/** Where in a record payloads are that anybody can read. */
function findPlain(value: unknown, where = ''): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const { encoding } = ((value as { metadata?: unknown }).metadata ?? {}) as { encoding?: unknown };
  if (encoding === Buffer.from('json/plain').toString('base64')) return [where];
  return Object.entries(value).flatMap(([name, item]) => findPlain(item, `${where}/${name}`));
}

suite('with AGENT_PAYLOAD_KEYS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'agent-keys-'));
  const keys = join(folder, 'keys');
  const writeKeys = (text: string): void => writeFileSync(keys, text, { mode: 0o600 });
  let model: ModelServer;
  let machine: Machine;
  let workspace: string;

  const start = async (id: string): Promise<Ended> =>
    await machine.run('run', '--approve', 'deny', '--id', id, '-C', workspace, goal);
  /** Files of the state folder that have the goal in them, as it is or in base64. */
  const findGoal = (pattern: string): string[] =>
    globSync(pattern, { cwd: machine.state }).filter((file) => {
      const bytes = readFileSync(join(machine.state, file));
      const encoded = [0, 1, 2].map((before_) =>
        Buffer.from(goal.slice(3 + before_))
          .toString('base64')
          .slice(0, 24),
      );
      return [goal, 'vermilion', ...encoded].some((text) => bytes.includes(text));
    });
  const readLogs = async (id: string): Promise<RunEvent[]> => {
    const { code, stdout, stderr } = await machine.run('logs', id, '--json');
    assert.equal(code, 0, stderr);
    return parseEvents(stdout);
  };

  before(async () => {
    writeKeys(`k1 ${first}\n`);
    model = await startModelServer(
      callsInTurn([
        { name: 'read_file', args: { path: 'README.md' } },
        { name: 'write_file', args: { path: 'AGENTS.md', content: 'be kind\n' } },
      ]),
    );
    machine = createMachine({ OPENAI_BASE_URL: model.baseUrl, AGENT_PAYLOAD_KEYS: keys });
    workspace = join(machine.root, 'workspace');
    await mkdir(workspace);
    await writeFile(join(workspace, 'README.md'), '# shed\n');
  });
  after(async () => {
    writeKeys(`k2 ${second}\nk1 ${first}\n`);
    await machine.stop();
    await model.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('a run is carried out, listed, shown, replayed, verified and exported', async () => {
    const ended = await start('one');
    assert.equal(ended.code, 0, ended.stderr);
    const [begun] = await readLogs('one');
    assert.equal(begun?.type === 'run.started' ? begun.goal : '', goal);
    const list = await machine.run('list', '--json');
    assert.match(list.stdout, /vermilion/);
    for (const args of [
      ['show', 'one'],
      ['replay', 'one'],
      ['audit', 'verify'],
      ['audit', 'reconcile', 'one'],
      ['audit', 'export', 'one', '--output', join(machine.root, 'one.tgz')],
    ]) {
      const { code, stdout, stderr } = await machine.run(...args);
      assert.equal(code, 0, `${args.join(' ')}: ${stdout}${stderr}`);
    }
  });

  test('the Web UI is told where to ask, and gets an answer', async () => {
    const { stdout } = await machine.run('ps', '--json');
    const { webUi } = JSON.parse(stdout) as StackFile;
    const [cookie = ''] = ((await fetch(webUi)).headers.get('set-cookie') ?? '').split(';');
    const { origin } = new URL(webUi);
    const answer = await fetch(`${origin}/api/v1/settings`, { headers: { cookie } });
    const settings = (await answer.json()) as { Codec: { Endpoint: string } };
    const endpoint = settings.Codec.Endpoint;
    const plain = {
      metadata: { encoding: Buffer.from('json/plain').toString('base64') },
      data: Buffer.from('"x"').toString('base64'),
    };
    const post = async (
      path: string,
      body: unknown,
      headers: Record<string, string>,
    ): Promise<Response> =>
      await fetch(`${endpoint}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    const page = { cookie, origin };
    const sealed: unknown = await (await post('/encode', { payloads: [plain] }, page)).json();
    const opened = await post('/decode', sealed, page);
    assert.deepEqual(await opened.json(), { payloads: [plain] });
    for (const headers of [{ origin }, { cookie, origin: 'http://evil.example' }] as Record<
      string,
      string
    >[])
      assert.equal((await post('/decode', sealed, headers)).status, 403);
  });

  test('a rotated key reads what the old one wrote', async () => {
    await machine.run('down');
    writeKeys(`k2 ${second}\nk1 ${first}\n`);
    const ended = await start('two');
    assert.equal(ended.code, 0, ended.stderr);
    assert.equal((await readLogs('one')).at(-1)?.type, 'run.finished');
    const replay = await machine.run('replay', 'one', 'two');
    assert.equal(replay.code, 0, replay.stdout);
    const doctor = await machine.run('doctor');
    assert.match(doctor.stdout, /encryption +with key k2 of .*, 1 older to read with/);
  });

  test('neither database nor mirror shows what the runs are about', async () => {
    await machine.run('down');
    assert.deepEqual(findGoal('{temporal.db*,run-*.jsonl}'), []);
    const mirror = readFileSync(join(machine.state, 'run-two.jsonl'), 'utf8');
    assert.ok(mirror.includes(Buffer.from('binary/encrypted').toString('base64')));
    const lines = mirror.split('\n').filter((line) => line !== '');
    const plain = lines.flatMap((line) => findPlain(JSON.parse(line)));
    // What Temporal never encrypts: what lists are searched by, and names of versions of our code.
    assert.ok(
      plain.length > 0 && plain.every((where) => /\/(?:indexedFields|patch-data)\//.test(where)),
      plain.join(),
    );
  });

  test('a wrong key, a missing one and a file others may read are told', async () => {
    writeKeys(`k1 ${third}\n`);
    const wrong = await machine.run('logs', 'one');
    assert.equal(wrong.code, 78);
    assert.match(
      wrong.stderr,
      /cannot be read with key "k1" of .*keys: it was encrypted with another/,
    );
    const missing = await machine.run('logs', 'two');
    assert.match(missing.stderr, /encrypted with key "k2", which is not in .*keys; it has k1/);
    rmSync(keys);
    writeFileSync(keys, `k1 ${first}\n`, { mode: 0o644 });
    for (const { code, stderr } of [await machine.run('up'), await start('three')]) {
      assert.equal(code, 78);
      assert.match(stderr, /others may read it\. Run: chmod 600/);
    }
    rmSync(keys);
  });
});

suite('with no keys named', () => {
  let model: ModelServer;
  let machine: Machine;
  let other: Machine;

  before(async () => {
    model = await startModelServer(
      callsInTurn([{ name: 'read_file', args: { path: 'README.md' } }]),
    );
    machine = createMachine({ OPENAI_BASE_URL: model.baseUrl });
    other = createMachine({ OPENAI_BASE_URL: model.baseUrl });
    const workspace = join(machine.root, 'workspace');
    await mkdir(workspace);
    await writeFile(join(workspace, 'README.md'), '# shed\n');
    const { code, stderr } = await machine.run('run', '--id', 'own', '-C', workspace, goal);
    assert.equal(code, 0, stderr);
  });
  after(async () => {
    await Promise.all([machine.stop(), other.stop()]);
    await model.close();
  });

  test('a run is encrypted with a key beside the operator’s, and everything reads it', async () => {
    const file = join(machine.root, 'config', 'dev-agent', 'keys', 'payload-keys');
    assert.match(readFileSync(file, 'utf8'), /^k-[0-9a-f]{8} \S{44}\n$/);
    for (const args of [
      ['show'],
      ['logs'],
      ['replay'],
      ['diff'],
      ['audit', 'reconcile'],
      ['policies', 'replay'],
    ].map((words) => [...words, 'own'])) {
      const { code, stdout, stderr } = await machine.run(...args);
      assert.equal(code, 0, `${args.join(' ')}: ${stdout}${stderr}`);
    }
    for (const args of [['audit', 'verify'], ['list']])
      assert.equal((await machine.run(...args)).code, 0, args.join(' '));
    assert.match((await machine.run('list')).stdout, /vermilion/);
    const doctor = await machine.run('doctor');
    assert.match(doctor.stdout, /encryption +with key k-[0-9a-f]{8} of .*keys\/payload-keys/);
    assert.match(doctor.stdout, /door +closed/);
    await machine.run('down');
    for (const name of globSync('{temporal.db*,run-*.jsonl}', { cwd: machine.state }))
      assert.ok(!readFileSync(join(machine.state, name)).includes('vermilion'), name);
  });

  test('another machine is told what it lacks, and reads the run with it', async () => {
    const log = join(machine.state, 'run-own.jsonl');
    const folder = join(other.root, 'folder');
    await mkdir(folder);
    const restored = await other.run('restore', log, '-C', folder);
    assert.equal(restored.code, 78, restored.stdout + restored.stderr);
    assert.match(restored.stderr, /encrypted with key "k-[0-9a-f]{8}".*keys\/payload-keys/);
    const name = ['config', 'dev-agent', 'keys', 'payload-keys'];
    await mkdir(join(other.root, ...name.slice(0, -1)), { recursive: true });
    const text = readFileSync(join(machine.root, ...name));
    await writeFile(join(other.root, ...name), text, { mode: 0o600 });
    assert.equal((await other.run('replay', log)).code, 0);
  });
});
