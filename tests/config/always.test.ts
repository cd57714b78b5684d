import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { nameGrants, renderAlways, writeAlways } from '../../config/always.ts';
import { readSettings } from '../../config/environment.ts';
import { PolicyError, readPolicyBundle } from '../../config/policies.ts';
import { followPolicy, putInForce } from '../../config/policy-in-force.ts';
import { decide } from '../../policies/decide.ts';
import { proposeGrants } from '../../policies/grants/propose.ts';
import { readShipped, shippedDir } from '../policies/cases.ts';
import { builtIn } from '../../tools/built-in.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'always-')));
after(() => rmSync(root, { recursive: true, force: true }));
const file = join(root, 'config', 'always.yaml');
const shipped = await readShipped();
const propose = (command: string) => {
  const proposal = proposeGrants(
    shipped,
    builtIn.toAction({ tool: 'run_command', args: { command }, workspace: root }),
  );
  assert.ok(proposal.ok);
  return proposal.grants;
};
const report = (error: unknown): never => assert.fail(String(error));
const judge = (policy: typeof shipped, command: string) =>
  decide(policy, builtIn.toAction({ tool: 'run_command', args: { command }, workspace: root }));

suite('always.yaml', () => {
  const first = nameGrants([], propose('git stash push "a b"'), 'ann');
  const both = [...first, ...nameGrants(first, propose('ls *.ts # é: "x"\n'), 'bob')];

  test('is read back as it was written, by its owner alone', async () => {
    assert.deepEqual(
      both.map(({ id }) => id),
      ['always-1', 'always-2'],
    );
    await writeAlways(file, both);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(readFileSync(file, 'utf8'), renderAlways(both));
    assert.match(readFileSync(file, 'utf8'), /^# What you allowed with/);
    const { policy } = await readPolicyBundle(shippedDir, { always: file });
    assert.deepEqual(policy.grants, both);
    assert.equal(judge(policy, 'ls *.ts # é: "x"\n').rule, 'always-2');
  });

  test('is part of the bundle and of its sha256; where there is none, all is as without', async () => {
    const without = await readPolicyBundle(shippedDir);
    const absent = await readPolicyBundle(shippedDir, { always: join(root, 'nowhere.yaml') });
    assert.deepEqual(absent, without);
    await writeAlways(file, first);
    const one = await readPolicyBundle(shippedDir, { always: file });
    await writeAlways(file, both);
    const two = await readPolicyBundle(shippedDir, { always: file });
    assert.equal(new Set([without.sha256, one.sha256, two.sha256]).size, 3);
    await writeAlways(file, []);
    assert.deepEqual(await readPolicyBundle(shippedDir, { always: file }), without);
  });

  test('counts when it is put in force, and a copy of it is kept', async () => {
    const state = join(root, 'state');
    const source = { dir: shippedDir, preset: 'standard', always: file } as const;
    await putInForce(state, source, 'ann');
    const inForce = await followPolicy(state, report);
    const of = async () => judge((await inForce.current()).policy, 'ls *.ts # é: "x"\n').verdict;
    await writeAlways(file, both);
    assert.equal(await of(), 'ask');
    const { bundle, before } = await putInForce(state, source, 'ann');
    assert.notEqual(bundle.sha256, before?.sha256);
    assert.equal(await of(), 'allow');
    const copy = join(state, 'policy', bundle.sha256, 'always.yaml');
    assert.equal(readFileSync(copy, 'utf8'), renderAlways(both));
    await writeAlways(file, []);
    assert.equal(await of(), 'allow');
    writeFileSync(copy, renderAlways(first));
    await assert.rejects(followPolicy(state, report), /was changed/);
    await putInForce(state, source, 'ann');
    assert.equal(await of(), 'ask');
  });

  const good = renderAlways(first);
  const mistakes: [what: string, text: string, message: RegExp][] = [
    ['no YAML', 'rules: [', /always\.yaml:1:\d+: /],
    ['another key', good.replace('lifts:', 'raises:'), /always\.yaml:\d+:5: unknown key "raises"/],
    ['a workspace’s rule', good.replace('- commands.', '- workspace.commands.'), /no grant lifts/],
    ['variables', good.replace('commands.git.stash.push', 'shell.variables'), /no grant lifts/],
    ['a relative folder', good.replace(/workspace: .*/, 'workspace: src'), /absolute path/],
    ['no folder', good.replace(/ {4}cwd: .*\n/, ''), /always-1 names no action/],
    ['both forms', good.replace('cwd:', 'script: ls\n    cwd:'), /names no action; expected argv/],
    [
      'a name twice',
      good + good.slice(good.indexOf('  - id')),
      /always-1 is the name of two rules/,
    ],
  ];
  for (const [what, text, message] of mistakes) {
    test(`a mistake in it is named by its place, and nothing changes: ${what}`, async () => {
      mkdirSync(join(root, 'config'), { recursive: true });
      writeFileSync(file, text);
      assert.notEqual(text, good);
      await assert.rejects(readPolicyBundle(shippedDir, { always: file }), (error) => {
        assert.ok(error instanceof PolicyError);
        assert.match(error.message, message);
        assert.ok(error.message.includes(`${file}:`), error.message);
        return true;
      });
    });
  }

  test('is the operator’s own: no workspace says where it is', () => {
    const env = { HOME: root, XDG_CONFIG_HOME: join(root, 'xdg') };
    const workspace = join(root, 'ws');
    mkdirSync(join(workspace, '.agent'), { recursive: true });
    writeFileSync(join(workspace, '.agent', 'config.yaml'), 'always: ./always.yaml\n');
    const { always, notices } = readSettings({ env, cwd: workspace });
    assert.equal(always, join(root, 'xdg', 'dev-agent', 'always.yaml'));
    assert.match(notices.join(), /always .* is ignored/);
  });
});
