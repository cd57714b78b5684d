import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Action } from '../../policies/action.ts';
import { decide } from '../../policies/decide.ts';
import type { UntrustedRules } from '../../policies/policy.ts';
import { stepUp, toUntrusted } from '../../policies/untrusted/untrusted.ts';
import type { Untrusted } from '../../policies/untrusted/untrusted.ts';
import { readShipped, workspace } from './cases.ts';
import { toJson } from '../setup/json.ts';
import { builtIn } from '../../tools/built-in.ts';

const shipped = await readShipped();
const trusting = {
  ...shipped,
  shell: { ...shipped.shell, verdict: 'allow', unlisted: 'allow' },
  networkCommands: [['npm', 'run', 'lint']],
} as const;

const act = (tool: string, args: Action['args']): Action =>
  builtIn.toAction({ tool, args, workspace });
const run = (command: string): Action => act('run_command', { command });
const actions = {
  read: act('read_file', { path: 'a.txt' }),
  look: run('ls -la'),
  write: act('write_file', { path: 'a.txt', content: 'x' }),
  build: run('npm test'),
  network: run('npm run lint'),
  script: run('for f in *; do echo "$f"; done'),
  asked: act('write_file', { path: 'AGENTS.md', content: 'x' }),
  denied: act('read_file', { path: '.env' }),
} satisfies Record<string, Action>;

const suspicious: Untrusted = { source: 'read_file README.md', kinds: ['override'] };
const plain: Untrusted = { source: 'read_file README.md', kinds: [] };
const fetched: Untrusted = { source: 'run_command npm view x', kinds: [], outside: 'network' };

/** Names of the actions that are asked about because of what was read. */
function askedAbout(rules: UntrustedRules, untrusted: Untrusted | undefined): string[] {
  const policy = { ...trusting, untrusted: rules };
  return Object.entries(actions)
    .filter(([, action]) => {
      const decision = stepUp(decide(policy, action), policy, action, untrusted);
      return decision.rule === 'untrusted.stepped-up';
    })
    .map(([name]) => name);
}

suite('what is asked about once somebody else’s text was read', () => {
  const reaching = ['network', 'script'];
  const changes = ['write', 'build', 'network', 'script'];
  for (const [rules, untrusted, asked] of [
    [{ seen: 'suspicious', askFor: 'reaching' }, suspicious, reaching],
    [{ seen: 'suspicious', askFor: 'reaching' }, plain, []],
    [{ seen: 'suspicious', askFor: 'reaching' }, undefined, []],
    [{ seen: 'suspicious', askFor: 'changes' }, suspicious, changes],
    [{ seen: 'suspicious', askFor: 'nothing' }, suspicious, []],
    [{ seen: 'suspicious', askFor: 'reaching' }, fetched, []],
    [{ seen: 'outside', askFor: 'reaching' }, plain, []],
    [{ seen: 'outside', askFor: 'reaching' }, suspicious, reaching],
    [{ seen: 'outside', askFor: 'reaching' }, fetched, ['network']],
    [{ seen: 'outside', askFor: 'changes' }, fetched, changes],
    [{ seen: 'any', askFor: 'reaching' }, plain, reaching],
    [{ seen: 'any', askFor: 'changes' }, plain, changes],
    [{ seen: 'any', askFor: 'changes' }, undefined, []],
  ] as const)
    test(`${rules.seen}, ${rules.askFor}, after ${[untrusted?.kinds, untrusted?.outside].join() || 'nothing'}: ${asked.join() || 'nothing'}`, () =>
      assert.deepEqual(askedAbout(rules, untrusted), asked));
});

test('as shipped, text from outside of the project counts, and what reaches beyond is asked about', () =>
  assert.deepEqual(shipped.untrusted, { seen: 'outside', askFor: 'reaching' }));

test('the reason names the rule that allows it, what was read and in which way it tries', () => {
  const decision = stepUp(decide(trusting, actions.script), trusting, actions.script, suspicious);
  assert.equal(decision.verdict, 'ask');
  assert.match(decision.reason, /^shell\S* allows it/);
  assert.match(decision.reason, /\(override\), read by read_file README\.md/);
});

test('what was asked about or denied anyway keeps its rule', () => {
  for (const action of [actions.asked, actions.denied]) {
    const decision = decide(shipped, action);
    assert.deepEqual(stepUp(decision, shipped, action, suspicious), decision);
  }
});

test('text without an attempt is remembered only where any text counts', () => {
  const any = { ...shipped, untrusted: { seen: 'any', askFor: 'changes' } } as const;
  assert.equal(toUntrusted(shipped, 'search x', []), undefined);
  assert.deepEqual(toJson(toUntrusted(any, 'search x', [])), { source: 'search x', kinds: [] });
  assert.deepEqual(toJson(toUntrusted(shipped, 'search x', [{ kind: 'role', at: 2 }])), {
    source: 'search x',
    kinds: ['role'],
  });
});
