import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { findDifferences, tellDifferences } from '../../client/stack/settings.ts';
import { describeSettings, readSettings, toEnvironment } from '../../config/environment.ts';
import type { StackFile } from '../../config/stack.ts';
import { variables } from '../../config/variables.ts';
import { readVersion } from '../../config/version.ts';

const root = mkdtempSync(join(tmpdir(), 'agent-settings-'));
const file = join(root, 'file');
writeFileSync(file, '', { mode: 0o700 });
after(() => rmSync(root, { recursive: true }));

/** A value other than the default for each setting, as somebody would set it. */
const others: Readonly<Record<string, string>> = {
  AGENT_POLICIES_DIR: root,
  AGENT_POLICY_PRESET: 'strict',
  AGENT_ALWAYS: join(root, 'always.yaml'),
  ALLOW_NET: 'true',
  AGENT_SANDBOX: 'none',
  AGENT_PAYLOAD_KEYS: file,
  AGENT_APPROVERS: file,
  AGENT_TEMPORAL_CLI: file,
  AGENT_UNSAFE_TEMPORAL_PORT: 'true',
  AGENT_QUEUE: 'other',
  AGENT_HOST: 'other',
  AGENT_SNAPSHOT_DAYS: '7',
};

const read = (env: Readonly<Record<string, string>>) =>
  readSettings({ env: { HOME: root, ...env }, cwd: root, container: false });
const byDefault = read({});
const inStack = variables.filter(({ scope }) => scope === 'stack' || scope === 'policy');

for (const { name } of inStack) {
  test(`${name}: set to something else than the running stack has, it is named with both values`, () => {
    const value = others[name];
    assert.ok(value !== undefined, `this test has no other value for ${name}`);
    const settings = read({ [name]: value });
    const [found, ...rest] = findDifferences(settings, toEnvironment(byDefault), undefined);
    assert.equal(found?.name, name);
    assert.equal(found.isSet, true);
    assert.equal(found.wanted, toEnvironment(settings)[name]);
    assert.notEqual(found.inForce, found.wanted);
    assert.deepEqual(rest, []);
    assert.deepEqual(findDifferences(settings, toEnvironment(settings), undefined), []);
  });

  test(`${name}: a default never counts as set`, () => {
    const stack = toEnvironment(read({ [name]: others[name] ?? '' }));
    assert.ok(findDifferences(byDefault, stack, undefined).every(({ isSet }) => !isSet));
  });
}

test('a policy has to be the one in force and the one the stack was started with', () => {
  const strict = read({ AGENT_POLICY_PRESET: 'strict' });
  const record = { dir: strict.policiesDir, preset: 'strict', always: strict.always } as const;
  const [reloaded] = findDifferences(strict, toEnvironment(byDefault), record);
  assert.equal(reloaded?.inForce, 'standard', 'a restarted worker goes by it again');
  const [found] = findDifferences(strict, toEnvironment(strict), { ...record, preset: 'trusting' });
  assert.deepEqual([found?.inForce, found?.wanted], ['trusting', 'strict']);
});

test('keys of the stack are missed even where none are set', () => {
  const stack = { ...toEnvironment(byDefault), AGENT_PAYLOAD_KEYS: file };
  const names = findDifferences(byDefault, stack, undefined).map(({ name }) => name);
  assert.deepEqual(names, ['AGENT_PAYLOAD_KEYS']);
});

test('keys of the command are missed in a stack that encrypts nothing', () => {
  const { AGENT_PAYLOAD_KEYS: _, ...stack } = toEnvironment(byDefault);
  const names = findDifferences(byDefault, stack, undefined).map(({ name }) => name);
  assert.deepEqual(names, ['AGENT_PAYLOAD_KEYS']);
});

test('a checkout that went on under the same version is a note, never a refusal', () => {
  const stack: StackFile = {
    v: 1,
    pid: 1,
    startTime: '',
    version: readVersion(),
    commit: '0'.repeat(40),
    temporal: '',
    namespace: 'default',
    webUi: '',
    control: '',
    queue: '',
    host: '',
    environment: toEnvironment(byDefault),
  };
  const told = tellDifferences(byDefault, stack, [], true);
  assert.equal(told.refused, undefined);
  assert.match(told.notes.join('\n'), /uses the code in 00000000, not in \w+\. To change it/);
});

test('a name that nothing reads is marked as not used yet', () => {
  const folders = ['cli', 'workers', 'activities', 'audit', 'client', 'dashboard'];
  for (const { key, scope } of variables) {
    const isRead = readers(folders, key) !== '' || readInSettings.has(key);
    assert.equal(scope === 'unused', !isRead, `${key} is ${isRead ? '' : 'not '}read`);
  }
  const row = describeSettings(byDefault).find(({ name }) => name === 'AGENT_TOOLS_DIR');
  assert.match(row?.meaning ?? '', /\(not used yet\)$/);
});

/** What becomes another setting before anybody reads it. */
const readInSettings: ReadonlySet<string> = new Set(['stateDir']);

function readers(folders: readonly string[], key: string): string {
  try {
    const cwd = new URL('../..', import.meta.url).pathname;
    const args = ['grep', '-lwE', `settings\\.${key}|${key}[,:}]| ${key} `, '--', ...folders];
    return execFileSync('git', args, {
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch {
    return '';
  }
}
