import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { readSettings, shippedPolicies } from '../../config/environment.ts';
import { createOffLimits } from '../../config/off-limits.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'agent-off-limits-')));
after(() => rmSync(root, { recursive: true, force: true }));
const home = join(root, 'home');
const project = join(home, 'project');
for (const folder of [project, join(root, 'policies'), join(root, 'team')])
  mkdirSync(folder, { recursive: true });

const toSettings = (env: Readonly<Record<string, string>> = {}) =>
  readSettings({
    env: { HOME: home, AGENT_POLICIES_DIR: join(root, 'policies'), ...env },
    cwd: '/',
    container: false,
  });
const find = createOffLimits(toSettings(), home);
const state = join(home, '.local', 'state', 'dev-agent');

suite('folders that no run may have', () => {
  const refused: readonly (readonly [string, RegExp])[] = [
    ['/', /everything you have/],
    [home, /everything you have/],
    [root, /everything you have/],
    [state, /the state folder/],
    [join(state, 'blobs'), /the state folder/],
    [join(home, '.local'), /the state folder/],
    [join(state, 'staged'), /the state folder/],
    [join(state, 'staged', 'r1'), /the state folder/],
    [join(state, 'staged', 'r1', 'copy', 'deeper'), /the state folder/],
    [join(state, 'staged', 'r1', '..', '..'), /the state folder/],
    [join(home, '.config', 'dev-agent'), /the configuration folder/],
    [join(home, '.config', 'dev-agent', 'keys'), /the configuration folder/],
    [join(home, '.config'), /the configuration folder/],
    [join(home, '.cache', 'dev-agent', 'bundles'), /the cache folder/],
    [join(home, '.cache'), /the cache folder/],
    [join(state, 'tools'), /the state folder|the tools folder/],
    [join(root, 'policies', 'mine'), /the policy folder/],
  ];
  for (const [path, why] of refused)
    test(`${path.replace(root, '<root>')} is refused`, () => {
      assert.match(find(path) ?? '', why);
    });

  test('and none that lead there through a link', () => {
    const link = join(home, 'innocent');
    mkdirSync(join(home, '.config'), { recursive: true });
    symlinkSync(join(home, '.config'), link);
    assert.match(find(link) ?? '', /the configuration folder/);
    assert.match(find(join(link, 'dev-agent', 'keys')) ?? '', /the configuration folder/);
  });

  test('and none with what only the operator may write', () => {
    const approvers = join(root, 'team', 'approvers.pem');
    const at = createOffLimits({ ...toSettings(), approvers, policiesDir: '/usr' }, home);
    assert.match(at(join(root, 'team')) ?? '', /only you may write/);
  });
});

suite('folders that a run may have', () => {
  for (const path of [
    project,
    join(home, 'not-made-yet'),
    join(home, '.config', 'nvim'),
    '/srv/project',
    join(state, 'staged', 'r1', 'project'),
    join(state, 'copies', 'r1', '1-s1'),
  ])
    test(`${path.replace(root, '<root>')} is accepted`, () => {
      assert.equal(find(path), undefined);
    });

  test('a fresh clone, with the shipped policies in it; not the policies themselves', () => {
    const at = createOffLimits(toSettings({ AGENT_POLICIES_DIR: shippedPolicies }), home);
    assert.equal(at(join(shippedPolicies, '..')), undefined);
    assert.match(at(shippedPolicies) ?? '', /the policy folder/);
  });
});
