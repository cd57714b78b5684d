import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import {
  PolicyError,
  readPolicyBundle,
  tightenBundle,
  tightenOrLock,
} from '../../config/policies.ts';
import type { Verdict } from '../../policies/action.ts';
import { testPolicy } from '../../policies/examples.ts';
import { decide, limitsOf } from '../../policies/decide.ts';
import { decideUrl } from '../../policies/network/network.ts';
import { applyPreset } from '../../policies/presets.ts';
import type { Policy } from '../../policies/policy.ts';
import { tighten } from '../../policies/tighten.ts';
import type { TighteningFiles } from '../../policies/tighten.ts';
import { readCases, readShipped, shippedDir } from './cases.ts';
import { builtIn } from '../../tools/built-in.ts';

const shipped = await readShipped();
const workspace = '/work/ws';
const run = (policy: Policy, command: string) =>
  decide(policy, builtIn.toAction({ tool: 'run_command', args: { command }, workspace }));

function apply(files: TighteningFiles, base = shipped): Policy {
  const tightened = tighten(base, files);
  assert.ok(tightened.ok, JSON.stringify(tightened));
  return tightened.policy;
}

suite('a workspace can tighten', () => {
  const policy = apply({
    tools: `version: 1
tools: { deny: [delete_file], ask: [{ tool: write_file, reason: please look }] }
commands:
  npm: { verdict: ask, reason: tests cost money here }
  git: { sub: { commit: { verdict: deny, match: [git commit -m x] }, worktree: { verdict: deny } } }
  docker: { verdict: deny }
shell: { verdict: deny }
untrusted: { seen: any, ask_for: nothing }
budgets: { steps: 5, tool_calls: 9999, per_tool: { run_command: 3 } }
`,
    paths:
      'version: 1\nread: { deny: [private/**] }\nwrite: { ask: [src/**] }\nlimits: { write_bytes: 10 }\n',
    network: 'version: 1\ndeny: [a.example]\n',
  });
  const rows: [command: string, verdict: Verdict, rule: string][] = [
    ['npm test', 'ask', 'workspace.commands.npm.test'],
    ['npm install x', 'deny', 'commands.npm.install'],
    ['git commit -m x', 'deny', 'workspace.commands.git.commit'],
    ['git status', 'allow', 'commands.git.status'],
    ['git worktree list', 'deny', 'workspace.commands.git.worktree'],
    ['docker ps', 'deny', 'workspace.commands.docker'],
    ['cat private/a', 'deny', 'workspace.paths.read.deny[0]'],
    ['touch src/a', 'ask', 'workspace.paths.write.ask[0]'],
    ['touch .env', 'deny', 'paths.write.deny[2]'],
    ['ls *.ts', 'deny', 'shell'],
  ];
  test('of what is asked about after untrusted text, the stricter counts', () =>
    assert.deepEqual(policy.untrusted, { seen: 'any', askFor: 'reaching' }));
  for (const [command, verdict, rule] of rows) {
    test(command, () => {
      const decision = run(policy, command);
      assert.deepEqual([decision.verdict, decision.rule], [verdict, rule], decision.reason);
    });
  }
  test('tools, hosts, budgets and sizes', () => {
    const of = (tool: string, args: object) =>
      decide(policy, builtIn.toAction({ tool, args: { ...args }, workspace }));
    assert.equal(of('delete_file', { path: 'a' }).rule, 'workspace.tools.deny[0]');
    assert.equal(of('write_file', { path: 'a', content: '' }).verdict, 'ask');
    assert.equal(of('write_file', { path: 'a', content: 'x'.repeat(11) }).verdict, 'deny');
    assert.equal(decideUrl(policy, 'https://a.example/').rule, 'workspace.network.deny[0]');
    assert.deepEqual(limitsOf(policy), {
      ...limitsOf(shipped),
      steps: 5,
      perTool: { run_command: { calls: 3 } },
    });
    assert.deepEqual(policy.budgets.perTool.get('run_command'), { calls: 3 });
  });
  test('its examples are tested with the others', () => {
    assert.deepEqual(
      testPolicy(policy, builtIn.toSample).failures.filter(({ rule }) =>
        rule.startsWith('workspace.'),
      ),
      [],
    );
  });
  test('a denied command stays denied under the trusting preset', () => {
    const trusting = apply(
      { tools: 'version: 1\ncommands: { docker: { verdict: deny } }\n' },
      applyPreset(shipped, 'trusting'),
    );
    assert.equal(run(trusting, 'docker ps').verdict, 'deny');
    assert.equal(run(trusting, 'podman ps').verdict, 'allow');
  });
});

suite('what would loosen', () => {
  const refused: [keyof TighteningFiles, string, RegExp][] = [
    ['tools', 'tools: { allow: ["*"] }', /unknown key "allow"/],
    ['tools', 'commands: { ls: { verdict: allow } }', /verdict/],
    ['tools', 'commands: { ls: { options: "--x" } }', /unknown key "options"/],
    ['tools', 'commands: { docker: { verdict: ask } }', /not a command in the operator/],
    [
      'tools',
      'commands: { git: { sub: { x: { verdict: ask } } } }',
      /not a command in the operator/,
    ],
    ['tools', 'shell: { builtins: [eval] }', /unknown key "builtins"/],
    ['tools', 'shell: { variables: { allow: [PATH] } }', /unknown key "allow"/],
    ['tools', 'workspace: { parallel_steps: 9 }', /unknown key "workspace"/],
    ['paths', 'write: { allow: ["**"] }', /unknown key "allow"/],
    ['network', 'allow: [a.example]', /unknown key "allow"/],
    ['paths', 'read: { deny: ["../x"] }', /"\." and "\.\."/],
    ['tools', 'tools: [', /./],
  ];
  for (const [name, text, message] of refused) {
    test(`is a mistake: ${text}`, () => {
      const tightened = tighten(shipped, { [name]: `version: 1\n${text}\n` });
      assert.ok(!tightened.ok, 'accepted');
      assert.equal(tightened.problems[0]?.file, `${name}.yaml`);
      assert.match(tightened.problems.map((each) => each.message).join('\n'), message);
    });
  }
  test('or counts for nothing: milder verdicts and higher numbers', () => {
    const policy = apply({
      tools:
        'version: 1\nshell: { verdict: allow, unlisted: allow }\nbudgets: { steps: 100000, tokens: 999999999 }\n',
      paths: 'version: 1\nlimits: { read_bytes: 99999999 }\n',
    });
    assert.deepEqual(limitsOf(policy), limitsOf(shipped));
    assert.equal(policy.paths.readBytes, shipped.paths.readBytes);
    assert.equal(run(policy, 'ls *.ts').verdict, 'ask');
    assert.equal(run(policy, './x').verdict, 'deny');
  });
  test('no case of ours gets a milder verdict', () => {
    const severity = { allow: 0, ask: 1, deny: 2 };
    const policy = apply({
      tools:
        'version: 1\ncommands: { git: { verdict: ask }, npm: { verdict: deny } }\nshell: { verdict: allow }\n',
      paths: 'version: 1\nread: { ask: ["**"] }\n',
    });
    for (const { command = 'true' } of ['commands', 'everyday', 'bypasses'].flatMap((name) =>
      readCases<{ command?: string }>(name),
    )) {
      const [before, now] = [run(shipped, command).verdict, run(policy, command).verdict];
      assert.ok(severity[now] >= severity[before], `${command}: ${before}, then ${now}`);
    }
  });
});

suite('on disk', async () => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'tighten-')));
  after(() => rmSync(root, { recursive: true, force: true }));
  const bundle = await readPolicyBundle(shippedDir);
  const makeWorkspace = (name: string, files: Readonly<Record<string, string>>): string => {
    const folder = join(root, name);
    mkdirSync(join(folder, '.agent', 'policies'), { recursive: true });
    for (const [file, text] of Object.entries(files))
      writeFileSync(join(folder, '.agent', 'policies', file), text);
    return folder;
  };

  test('no file of its own: the operator’s bundle as it is', () => {
    assert.equal(tightenBundle(bundle, makeWorkspace('none', {})), bundle);
  });
  test('the digest covers the workspace’s files and the preset', async () => {
    const folder = makeWorkspace('some', { 'paths.yaml': 'version: 1\nread: { deny: [a] }\n' });
    const tightened = tightenBundle(bundle, folder);
    assert.notEqual(tightened.sha256, bundle.sha256);
    assert.equal(
      (await readPolicyBundle(shippedDir, { workspace: folder })).sha256,
      tightened.sha256,
    );
    const strict = await readPolicyBundle(shippedDir, { preset: 'strict' });
    assert.notEqual(strict.sha256, bundle.sha256);
    assert.equal(
      (await readPolicyBundle(shippedDir, { preset: 'standard' })).sha256,
      bundle.sha256,
    );
  });
  test('mistakes are named by file and place, and until they are mended nothing is done', async () => {
    const folder = makeWorkspace('broken', {
      'tools.yaml': 'version: 1\ntools: { allow: [run_command] }\n',
    });
    await assert.rejects(readPolicyBundle(shippedDir, { workspace: folder }), (error) => {
      assert.ok(error instanceof PolicyError);
      assert.match(
        error.message,
        /broken\/\.agent\/policies\/tools\.yaml:2:10: unknown key "allow".*may only tighten/,
      );
      return true;
    });
    const locked = tightenOrLock(bundle, folder);
    const { verdict, rule, reason } = decide(
      locked.policy,
      builtIn.toAction({ tool: 'read_file', args: { path: 'a' }, workspace: folder }),
    );
    assert.deepEqual([verdict, rule], ['deny', 'workspace.policies']);
    assert.match(reason, /tools\.yaml:2/);
    assert.match(locked.problem ?? '', /agent policies validate/);
  });
});
