import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import {
  ConfigError,
  describeSettings,
  readSettings,
  toEnvironment,
} from '../../config/environment.ts';
import type { SettingsSource } from '../../config/environment.ts';

const scratch = mkdtempSync(join(tmpdir(), 'agent-settings-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

let folders = 0;
/** A home with a workspace in it, each with the config.yaml given. */
const createHome = (files: { user?: string; workspace?: string }): SettingsSource => {
  const home = join(scratch, `home${(folders += 1)}`);
  const workspace = join(home, 'shop');
  mkdirSync(join(workspace, '.agent'), { recursive: true });
  mkdirSync(join(home, '.config', 'dev-agent'), { recursive: true });
  const userFile = join(home, '.config', 'dev-agent', 'config.yaml');
  if (files.user !== undefined) writeFileSync(userFile, files.user, { mode: 0o600 });
  if (files.workspace !== undefined) {
    writeFileSync(join(workspace, '.agent', 'config.yaml'), files.workspace);
  }
  return { env: { HOME: home }, cwd: workspace, container: false };
};

const problemsOf = (source: SettingsSource): readonly string[] => {
  try {
    readSettings(source);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    assert.equal(error.exitCode, 78);
    return error.problems;
  }
  return [];
};

test('with nothing set, everything has its default', () => {
  const source = createHome({});
  const settings = readSettings(source);
  assert.equal(settings.baseUrl, 'http://127.0.0.1:1234/v1');
  assert.equal(settings.model, 'gpt-4o-mini');
  assert.equal(settings.workspace, source.cwd);
  assert.equal(settings.stateDir, join(source.env?.['HOME'] ?? '', '.local/state/dev-agent'));
  assert.equal(settings.toolsDir, join(settings.stateDir, 'tools'));
  assert.equal(settings.allowNet, false);
  assert.equal(settings.policyPreset, 'standard');
  assert.equal(settings.apiKey, undefined);
  assert.deepEqual(new Set(Object.values(settings.origins)), new Set(['default']));
});

test('in a container the model server is the host’s', () => {
  const settings = readSettings({ ...createHome({}), container: true });
  assert.equal(settings.baseUrl, 'http://host.docker.internal:1234/v1');
});

test('flag beats environment beats workspace beats user beats default', () => {
  const source = createHome({
    user: 'model: of-user\nplannerModel: of-user\nreviewerModel: of-user\nhost: of-user',
    workspace: 'model: of-workspace\nplannerModel: of-workspace\nreviewerModel: of-workspace',
  });
  const settings = readSettings({
    ...source,
    env: { ...source.env, AGENT_MODEL: 'of-env', AGENT_PLANNER_MODEL: 'of-env' },
    flags: { model: 'of-flag' },
  });
  const seen = (['model', 'plannerModel', 'reviewerModel', 'host', 'queue'] as const).map((key) => [
    settings[key],
    settings.origins[key],
  ]);
  assert.deepEqual(seen, [
    ['of-flag', 'flag'],
    ['of-env', 'environment'],
    ['of-workspace', 'workspace'],
    ['of-user', 'user'],
    ['dev-agent', 'default'],
  ]);
});

test('planner and reviewer use the executor’s model unless told otherwise', () => {
  const source = createHome({});
  const settings = readSettings({ ...source, env: { ...source.env, AGENT_MODEL: 'qwen3' } });
  assert.deepEqual([settings.plannerModel, settings.reviewerModel], ['qwen3', 'qwen3']);
});

test('a workspace may tighten and never loosen', () => {
  const loosening = createHome({
    workspace:
      'allowNet: true\nsandbox: none\nbaseUrl: http://evil.example/v1\napiKey: x\npolicyPreset: trusting\n',
  });
  const settings = readSettings(loosening);
  assert.equal(settings.allowNet, false);
  assert.equal(settings.sandbox, 'auto');
  assert.equal(settings.baseUrl, 'http://127.0.0.1:1234/v1');
  assert.equal(settings.apiKey, undefined);
  assert.equal(settings.policyPreset, 'standard');
  assert.equal(settings.notices.length, 5);

  const tightening = createHome({ user: 'allowNet: true', workspace: 'allowNet: false' });
  assert.equal(readSettings(tightening).allowNet, false);
});

test('every wrong value is reported at once, without showing the key', () => {
  const source = createHome({ user: 'sandbox: maybe\nmodle: x' });
  const problems = problemsOf({
    ...source,
    env: {
      ...source.env,
      OPENAI_BASE_URL: 'localhost:1234/v1',
      OPENAI_API_KEY: 'sk secret',
      AGENT_WORKSPACE: join(scratch, 'absent'),
      AGENT_POLICY_PRESET: 'yolo',
      ALLOW_NET: 'yes',
      TEMPORAL_ADDRESS: 'http://x',
    },
  });
  const expected = [
    /^OPENAI_BASE_URL must be an http\(s\) URL, got "localhost:1234\/v1"\. Write http:\/\//,
    /^OPENAI_API_KEY must be /,
    /^AGENT_WORKSPACE must be an existing folder, got .*mkdir -p/,
    /^AGENT_POLICY_PRESET must be standard, strict, trusting, got "yolo"/,
    /^ALLOW_NET must be true or false, got "yes"/,
    /^TEMPORAL_ADDRESS must be host:port, got "http:\/\/x"/,
    /sets "modle", which is not a setting/,
    /^sandbox in .*config\.yaml must be auto or none, got "maybe"/,
  ];
  for (const pattern of expected) {
    assert.ok(
      problems.some((problem) => pattern.test(problem)),
      `${pattern} in ${problems.join('\n')}`,
    );
  }
  assert.equal(problems.length, expected.length);
  assert.ok(!problems.join('').includes('sk secret'));
});

test('an empty variable counts as unset', () => {
  const source = createHome({});
  const settings = readSettings({ ...source, env: { ...source.env, OPENAI_BASE_URL: '' } });
  assert.equal(settings.origins.baseUrl, 'default');
});

for (const [text, problem] of [
  ['model: [', /is not valid YAML/],
  ['- model', /must hold lines such as/],
  ['model: {a: 1}', /must be one value/],
] as const) {
  test(`config.yaml with ${JSON.stringify(text)} is refused by name`, () => {
    assert.match(problemsOf(createHome({ user: text })).join('\n'), problem);
  });
}

test('a key in a file others may read is refused', () => {
  const source = createHome({});
  const file = join(source.env?.['HOME'] ?? '', '.config/dev-agent/config.yaml');
  writeFileSync(file, 'apiKey: sk-1', { mode: 0o644 });
  assert.match(problemsOf(source).join('\n'), /chmod 600/);
});

test('the key is shown as set, and never handed to a process as a variable', () => {
  const source = createHome({});
  const settings = readSettings({ ...source, env: { ...source.env, OPENAI_API_KEY: 'sk-42' } });
  assert.equal(settings.apiKey, 'sk-42');
  const row = describeSettings(settings).find(({ key }) => key === 'apiKey');
  assert.equal(row?.value, 'set');
  assert.ok(!JSON.stringify(describeSettings(settings)).includes('sk-42'));
  assert.ok(!JSON.stringify(toEnvironment(settings)).includes('sk-42'));
});

test('what a process is handed reads back as the same settings', () => {
  const source = createHome({ user: 'model: qwen3\nforceChat: true' });
  const settings = readSettings(source);
  const again = readSettings({ env: toEnvironment(settings), cwd: '/', container: false });
  for (const key of ['model', 'forceChat', 'stateDir', 'toolsDir', 'cacheDir', 'host'] as const) {
    assert.equal(again[key], settings[key]);
  }
});
