/** A run in which a secret of each kind turns up wherever one can: afterwards none is in any file or output of ours. */
import assert from 'node:assert/strict';
import { globSync, readFileSync, statSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { after, before, suite, test } from 'node:test';
import { noise, privateKey, samples } from '../policies/secrets.ts';
import { oneStep } from '../model-server/scripts.ts';
import { startModelServer } from '../model-server/server.ts';
import type { ModelServer } from '../model-server/server.ts';
import { createMachine } from '../setup/cli.ts';
import type { Ended, Machine } from '../setup/cli.ts';
import { waitFor } from '../setup/wait-for.ts';

const formOf = (kind: string): string => samples.find(([of]) => of === kind)?.[1] ?? '';

/** One for each way in. No two share a piece of eight characters. */
const canaries = {
  environment: `Env-${noise(20, 101)}`,
  named: 'words nobody would guess 4711',
  modelKey: `Key-${noise(30, 102)}`,
  dotenv: `Dot-${noise(24, 103)}`,
  file: formOf('github-token'),
  fileKey: privateKey().split('\n')[3] ?? '',
  output: `Out-${noise(24, 104)}`,
  flood: formOf('stripe-key'),
  thought: formOf('anthropic-key'),
  argument: formOf('npm-token'),
  goal: formOf('gitlab-token'),
  said: formOf('slack-token'),
  denial: formOf('google-api-key'),
} as const;

const toForms = (secret: string): string[] => [
  secret,
  Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  encodeURIComponent(secret),
  JSON.stringify(secret).slice(1, -1),
];

/** Which canaries are in these bytes. */
const findCanaries = (bytes: Buffer): string[] => {
  const text = bytes.toString('latin1');
  return Object.entries(canaries).flatMap(([name, secret]) =>
    toForms(secret).some((form) => text.includes(form)) ? [name] : [],
  );
};

const call = (name: string, args: Readonly<Record<string, unknown>>) => ({
  call: [{ name, args }],
});

const story = oneStep([
  { text: `I will use ${canaries.thought} for it.`, ...call('list_files', {}) },
  call('read_file', { path: 'settings.py' }),
  call('read_file', { path: 'deploy.txt', startLine: 3, endLine: 6 }),
  call('search', { pattern: 'token' }),
  call('run_command', { command: 'cat settings.py' }),
  call('run_command', { command: 'cat build.log' }),
  call('run_command', { command: 'cat flood.log' }),
  call('write_file', { path: 'copy.py', content: 'TOKEN = "[secret:github-token]"\n' }),
  call('edit_file', { path: 'settings.py', old: '[secret:github-token]', new: 'x' }),
  call('edit_file', { path: 'settings.py', old: 'DEBUG = True', new: 'DEBUG = False' }),
  call('write_file', { path: 'new.txt', content: `npm token ${canaries.argument}\n` }),
  call('run_command', { command: `echo ${canaries.argument}` }),
  call('write_file', { path: 'AGENTS.md', content: 'be kind\n' }),
  { ask: 'Which colour?' },
]);

/** Until the run has such an event. */
async function waitForEvent(machine: Machine, type: string): Promise<void> {
  let printed = '';
  const look = async (): Promise<boolean> => {
    printed = (await machine.run('logs', 'birds', '--json')).stdout;
    if (printed.includes(`"type":"${type}"`)) return true;
    assert.ok(!printed.includes('"type":"run.finished"'), printed.slice(-2_000));
    return false;
  };
  await waitFor(() => `${type}: ${printed.slice(-3_000)}`, look, 60_000);
}

suite('secrets of every kind', () => {
  let model: ModelServer;
  let machine: Machine;
  let workspace: string;
  const outputs: Ended[] = [];
  const agent = async (...args: readonly string[]): Promise<Ended> => {
    const ended = await machine.run(...args);
    outputs.push(ended);
    return ended;
  };

  before(async () => {
    model = await startModelServer(story, { apiKey: canaries.modelKey });
    machine = createMachine({
      OPENAI_BASE_URL: model.baseUrl,
      OPENAI_API_KEY: canaries.modelKey,
      DEPLOY_TOKEN: canaries.environment,
      MOTTO: canaries.named,
      AGENT_SECRETS: 'MOTTO',
    });
    workspace = join(machine.root, 'workspace');
    await mkdir(workspace);
    const files = {
      '.env': `SESSION_SECRET=${canaries.dotenv}\n`,
      'settings.py': [
        `TOKEN = "${canaries.file}"`,
        'DEBUG = True',
        `motto: ${canaries.named}`,
        `deploy: ${canaries.environment} ${Buffer.from(canaries.environment).toString('base64')}`,
        `session: ${canaries.dotenv}`,
        `model: ${canaries.modelKey}`,
        '',
      ].join('\n'),
      'deploy.txt': `key\n${privateKey()}\n`,
      'build.log': `${'line\n'.repeat(9_000)}password = "${canaries.output}"\n${'line\n'.repeat(9_000)}`,
      'flood.log': `${'x'.repeat(20_000)} ${canaries.flood} ${'x'.repeat(20_000)}`.repeat(40),
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(workspace, name), text);
  });
  after(async () => {
    await machine.stop();
    await model.close();
  });

  test('the run does its work', async () => {
    const goal = `Tidy up, the token is ${canaries.goal}`;
    const started = await agent('run', '--detach', '--id', 'birds', '-C', workspace, goal);
    assert.equal(started.code, 0, started.stderr);
    assert.match(started.stderr, /the goal has a secret in it/);
    await waitForEvent(machine, 'approval.requested');
    const denied = await agent('deny', 'birds', '--reason', `no, ${canaries.denial}`);
    assert.equal(denied.code, 0, denied.stderr);
    await waitForEvent(machine, 'input.requested');
    const said = await agent('say', 'birds', `green, ${canaries.said}`);
    assert.equal(said.code, 0, said.stderr);
    const ended = await agent('attach', 'birds');
    assert.equal(ended.code, 0, ended.stderr);
  });

  test('what was in the workspace is as it was, but for what the run was right to change', async () => {
    const settings = await readFile(join(workspace, 'settings.py'), 'utf8');
    assert.ok(settings.includes(canaries.file));
    assert.ok(settings.includes('DEBUG = False'));
    for (const name of ['copy.py', 'new.txt', 'AGENTS.md'])
      assert.throws(() => statSync(join(workspace, name)), { code: 'ENOENT' });
  });

  test('the model is told why, and sees no secret', () => {
    const last = JSON.stringify(model.requests.at(-2)?.messages);
    assert.match(last, /copy\.py was not changed: \[secret:github-token\] stands for a secret/);
    assert.match(last, /settings\.py has a secret where you see \[secret:github-token\]/);
    assert.match(last, /Commands never get secrets/);
    for (const request of model.requests)
      assert.deepEqual(findCanaries(Buffer.from(JSON.stringify(request.messages))), []);
  });

  test('no output of a command has one', async () => {
    for (const args of [
      ['logs', 'birds'],
      ['logs', 'birds', '--json'],
      ['show', 'birds', '--json'],
      ['list', '--json'],
      ['audit', 'tail', 'birds'],
      ['config', '--json'],
      ['ps', '--json'],
      ['doctor', '--json'],
      ['run', `--no-such-${canaries.goal}`],
      ['tools', 'invoke', 'read_file', '--payload', '{"path":"settings.py"}', '-C', workspace],
      [
        'tools',
        'invoke',
        'run_command',
        '--payload',
        `{"command":"echo ${canaries.file}"}`,
        '-C',
        workspace,
      ],
    ])
      await agent(...args);
    for (const { stdout, stderr } of outputs)
      assert.deepEqual(findCanaries(Buffer.from(stdout + stderr)), [], stdout + stderr);
  });

  test('the record verifies, says how much was taken out, and is exported without a secret', async () => {
    const verified = await agent('audit', 'verify');
    assert.equal(verified.code, 0, verified.stdout);
    const days = globSync(join(machine.state, 'audit', '*.jsonl'));
    const lines = days.flatMap((day) => readFileSync(day, 'utf8').split('\n'));
    assert.ok(lines.some((line) => line.includes('"redacted":') && line.includes('settings.py')));
    const file = join(machine.root, 'birds.tgz');
    const exported = await agent('audit', 'export', 'birds', '--output', file);
    assert.equal(exported.code, 0, exported.stderr);
    assert.deepEqual(findCanaries(gunzipSync(readFileSync(file))), []);
  });

  test('no file of the state folder has one, but the snapshots of the workspace', async () => {
    await machine.run('down');
    const files = globSync('**/*', { cwd: machine.state, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    assert.ok(files.some((file) => file.endsWith('temporal.db')));
    const found = files.flatMap((file) =>
      file.includes('/snapshots/')
        ? []
        : findCanaries(readFileSync(file)).map((name) => `${name} in ${file}`),
    );
    assert.deepEqual(found, []);
    assert.equal(statSync(machine.state).mode & 0o077, 0);
  });
});
