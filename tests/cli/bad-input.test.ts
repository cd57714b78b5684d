import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Place } from './program.ts';
import { createPlace, runAgent } from './program.ts';

let place: Place;
let workspace: string;
before(async () => {
  place = await createPlace();
  workspace = join(place.root, 'ws');
  await mkdir(workspace);
  await writeFile(join(place.root, 'file'), '');
});
after(() => place.remove());

const refused: [string, string[], number, RegExp][] = [
  [
    'an unknown option',
    ['list', '--jsn'],
    2,
    /^agent: Unknown option --jsn .*Did you mean --json\?/,
  ],
  ['an unknown command', ['lst'], 2, /^agent: Unknown command "lst"\. Did you mean "agent list"\?/],
  ['a missing goal', ['run'], 2, /^agent: Missing "goal"/],
  ['an empty goal', ['run', '  '], 2, /^agent: The goal is empty/],
  ['a bad number', ['run', 'x', '--max-steps', '0'], 2, /--max-steps must be a whole number/],
  ['a bad id', ['run', 'x', '--id', '../x'], 2, /^agent: --id must be/],
  ['a bad standing order', ['run', 'x', '--approve', 'maybe'], 2, /--approve must be ask, auto or/],
  ['the root as workspace', ['run', '-C', '/', 'x'], 2, /\/ is not accepted as workspace/],
  [
    'the home folder as workspace',
    ['run', '-C', homedir(), 'x'],
    2,
    /is not accepted as workspace/,
  ],
  ['an unknown run', ['show', 'brave-otter-0000'], 2, /There is no run "brave-otter-0000"/],
  ['an unknown run to signal', ['pause', 'brave-otter-0000'], 2, /There is no run/],
  ['what no run can be called', ['show', '../etc'], 2, /A run is named by/],
  ['an empty message', ['say', 'r1', ' '], 2, /The message is empty/],
  [
    'a payload that is no JSON',
    ['tools', 'invoke', 'x', '--payload', '{'],
    2,
    /must be a JSON object/,
  ],
  ['a payload that is no object', ['tools', 'invoke', 'x', '--payload', '[1]'], 2, /got \[1\]/],
  [
    'a history that is not there',
    ['replay', 'nowhere.json'],
    2,
    /"nowhere.json" is neither a file nor a run/,
  ],
];
for (const [what, args, code, message] of refused) {
  test(`${what} is one clear line and exit ${code}`, async () => {
    const ended = await runAgent(args, { env: place.env, cwd: workspace });
    assert.equal(ended.code, code, ended.stderr);
    assert.match(ended.stderr, message);
    assert.equal(ended.stdout, '');
    assert.doesNotMatch(ended.stderr, /^\s+at /m, 'no stack trace');
    assert.equal(existsSync(join(place.state, 'stack.json')), false, 'no stack was started for it');
  });
}

test('a workspace that is no folder, or is not there, is refused', async () => {
  const missing = join(place.root, 'missing');
  const none = await runAgent(['run', '-C', missing, 'x'], { env: place.env, cwd: workspace });
  assert.equal(none.code, 2, none.stderr);
  assert.match(none.stderr, /does not exist\. Create it with: mkdir -p /);
  const file = await runAgent(['run', '-C', join(place.root, 'file'), 'x'], { env: place.env });
  assert.equal(file.code, 2, file.stderr);
  assert.match(file.stderr, /is not a folder/);
});

test('every wrong variable is named at once, exit 78', async () => {
  const env = { ...place.env, OPENAI_BASE_URL: 'localhost:1234', ALLOW_NET: 'perhaps' };
  const ended = await runAgent(['run', 'x'], { env, cwd: workspace });
  assert.equal(ended.code, 78, ended.stderr);
  assert.match(ended.stderr, /OPENAI_BASE_URL must be an http\(s\) URL/);
  assert.match(ended.stderr, /ALLOW_NET must be true or false/);
});

test('a state folder that cannot be made is exit 78 and names the variable', async () => {
  const env = { ...place.env, AGENT_STATE_DIR: join(place.root, 'file', 'state') };
  const ended = await runAgent(['run', '--demo', 'x'], { env, cwd: workspace });
  assert.equal(ended.code, 78, ended.stderr);
  assert.match(ended.stderr, /AGENT_STATE_DIR must be a folder you can write/);
});

test('without a model server: exit 69, the address tried, what to start, and --demo', async () => {
  // A port that was free a moment ago: nothing listens there.
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const env = { ...place.env, OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1` };
  const ended = await runAgent(['run', 'x'], { env, cwd: workspace });
  assert.equal(ended.code, 69, ended.stderr);
  assert.match(
    ended.stderr,
    new RegExp(`http://127\\.0\\.0\\.1:${port}/v1: nothing listens there`),
  );
  assert.match(ended.stderr, /lms server start/);
  assert.match(ended.stderr, /--demo/);
  assert.equal(existsSync(join(place.state, 'stack.json')), false, 'no stack was started for it');
});

test('a model server that refuses the key: exit 78, and the key is not printed', async () => {
  const server = createServer((_request, response) => response.writeHead(401).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const env = {
    ...place.env,
    OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1`,
    OPENAI_API_KEY: 'sk-canary-11',
  };
  const ended = await runAgent(['run', 'x'], { env, cwd: workspace });
  server.close();
  assert.equal(ended.code, 78, ended.stderr);
  assert.match(ended.stderr, /refuses the key in OPENAI_API_KEY/);
  assert.doesNotMatch(ended.stderr + ended.stdout, /sk-canary-11/);
});

test('with --json an error is one JSON value on standard output', async () => {
  const ended = await runAgent(['show', 'brave-otter-0000', '--json'], { env: place.env });
  assert.equal(ended.code, 2);
  assert.deepEqual(Object.keys(JSON.parse(ended.stdout) as object), ['error', 'exitCode']);
});

test('no runs yet: list says so on standard error and starts nothing', async () => {
  const text = await runAgent(['list'], { env: place.env });
  assert.deepEqual([text.code, text.stdout], [0, '']);
  assert.match(text.stderr, /No runs yet/);
  const json = await runAgent(['list', '--json'], { env: place.env });
  assert.deepEqual(JSON.parse(json.stdout), []);
  assert.equal(existsSync(join(place.state, 'stack.json')), false);
});

test('config tells where each value is from and never shows the key', async () => {
  const env = { ...place.env, AGENT_MODEL: 'qwen3', OPENAI_API_KEY: 'sk-canary-12' };
  const ended = await runAgent(['config', '--json'], { env, cwd: workspace });
  assert.equal(ended.code, 0, ended.stderr);
  const { settings } = JSON.parse(ended.stdout) as { settings: Record<string, string>[] };
  const row = (name: string) => settings.find((setting) => setting['name'] === name);
  assert.deepEqual(
    [row('AGENT_MODEL')?.['value'], row('AGENT_MODEL')?.['origin']],
    ['qwen3', 'environment'],
  );
  assert.equal(row('OPENAI_API_KEY')?.['value'], 'set');
  assert.equal(row('ALLOW_NET')?.['origin'], 'default');
  assert.doesNotMatch(ended.stdout, /sk-canary-12/);
});

test('down and ps without a stack say so', async () => {
  const down = await runAgent(['down'], { env: place.env });
  assert.deepEqual([down.code, down.stdout], [0, 'The local stack was not running.\n']);
  const ps = await runAgent(['ps', '--json'], { env: place.env });
  assert.deepEqual([ps.code, JSON.parse(ps.stdout)], [0, { parts: [] }]);
});

test('every command has help with an example, on standard output', async () => {
  const { commands } = await import('../../cli/commands.ts');
  const all = await runAgent(['--help'], {});
  for (const { name } of commands) assert.ok(all.stdout.includes(`\n  ${name}`), name);
  for (const name of ['run', 'policies check', 'audit tail']) {
    const help = await runAgent([...name.split(' '), '--help'], {});
    assert.equal(help.code, 0);
    assert.match(help.stdout, /\nExample: .*agent /);
  }
});

test('the version is the package’s', async () => {
  const { version } = JSON.parse(
    await readFile(new URL('../../package.json', import.meta.url), 'utf8'),
  ) as { version: string };
  assert.equal((await runAgent(['--version'])).stdout, `${version}\n`);
});
