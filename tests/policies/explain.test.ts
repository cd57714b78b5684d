import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { decide } from '../../policies/decide.ts';
import { explainCommand } from '../../policies/explain.ts';
import { readCases, readShipped, workspace } from './cases.ts';
import { builtIn } from '../../tools/built-in.ts';

const policy = await readShipped();
const explain = (command: string) =>
  explainCommand(policy, builtIn.toAction({ tool: 'run_command', args: { command }, workspace }));

suite('explaining a command', () => {
  test('each part of a plain line, with what is started and what decides', () => {
    const { form, parts, decidedBy, verdict } = explain('cd src && CI=1 npm test | rg a > .env');
    assert.equal(form, 'plain');
    assert.deepEqual(
      parts.map((part) => [part.part, part.kind, part.joined, part.text, part.cwd, part.verdict]),
      [
        [1, 'command', 'first', 'npm test', 'src', 'allow'],
        [2, 'variable', undefined, 'CI=1', 'src', 'allow'],
        [3, 'command', '|', 'rg a', 'src', 'allow'],
        [4, 'redirection', undefined, '> .env', 'src', 'deny'],
        [5, 'folder', undefined, 'cd src', 'src', 'allow'],
      ],
    );
    assert.equal(parts[2]?.runs?.[1], '--no-config');
    assert.equal(parts[0]?.runs, undefined);
    assert.deepEqual([verdict, decidedBy], ['deny', 4]);
  });
  test('a script as a whole and what is seen in it', () => {
    const { form, why, parts, decidedBy } = explain('for f in a b; do git push $f; done');
    assert.equal(form, 'script');
    assert.match(why ?? '', /For/);
    assert.deepEqual(
      parts.map(({ kind, text, verdict }) => [kind, text, verdict]),
      [
        ['script', 'for f in a b; do git push $f; done', 'ask'],
        ['command', 'git push …', 'deny'],
      ],
    );
    assert.equal(decidedBy, 2);
  });
  test('arguments that are no command', () => {
    const { verdict, rule, parts, decidedBy } = explainCommand(
      policy,
      builtIn.toAction({ tool: 'run_command', args: { command: 'ls', cwd: '..' }, workspace }),
    );
    assert.deepEqual([verdict, rule, parts, decidedBy], ['deny', 'paths.outside', [], undefined]);
  });
  test('it says what decide says, of every case, and names the part', () => {
    for (const { command } of ['commands', 'everyday', 'bypasses'].flatMap((name) =>
      readCases<{ command?: string }>(name),
    )) {
      if (command === undefined) continue;
      const { verdict, rule, reason, decidedBy } = explain(command);
      const decision = decide(
        policy,
        builtIn.toAction({ tool: 'run_command', args: { command }, workspace }),
      );
      assert.deepEqual([verdict, rule, reason], [decision.verdict, decision.rule, decision.reason]);
      assert.ok(decidedBy !== undefined || rule === 'tools.form', command);
    }
  });
});
