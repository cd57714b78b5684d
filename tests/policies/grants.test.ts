import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import type { Action } from '../../policies/action.ts';
import { isLiftable } from '../../policies/grants/always.ts';
import { testPolicy } from '../../policies/examples.ts';
import { decide } from '../../policies/decide.ts';
import { explainCommand } from '../../policies/explain.ts';
import { liftPath } from '../../policies/grants/grants.ts';
import type { Grant } from '../../policies/grants/grant.ts';
import { parsePolicy } from '../../policies/parse.ts';
import { decidePath } from '../../policies/paths/paths.ts';
import { applyPreset } from '../../policies/presets.ts';
import { proposeGrants } from '../../policies/grants/propose.ts';
import type { Policy } from '../../policies/policy.ts';
import { tighten } from '../../policies/tighten.ts';
import type { TighteningFiles } from '../../policies/tighten.ts';
import { stepUp } from '../../policies/untrusted/untrusted.ts';
import { readCases, readShipped, workspace } from './cases.ts';
import { builtIn } from '../../tools/built-in.ts';

const shipped = await readShipped();
const asksForMcp: Policy = (() => {
  const parsed = parsePolicy({
    tools: 'version: 1\ntools: { ask: ["mcp__*", read_blob], allow: [write_file, run_command] }\n',
    network: 'version: 1\n',
    paths: 'version: 1\nwrite: { allow: ["**"] }\n',
  });
  assert.ok(parsed.ok);
  return parsed.policy;
})();

const command = (text: string, more: Action['args'] = {}): Action =>
  builtIn.toAction({ tool: 'run_command', args: { command: text, ...more }, workspace });
const write = (path: string, content = ''): Action =>
  builtIn.toAction({ tool: 'write_file', args: { path, content }, workspace });
const call = (args: Action['args']): Action =>
  builtIn.toAction({ tool: 'mcp__docs__get', args, workspace });
const name = (proposed: readonly Omit<Grant, 'id' | 'by' | 'time'>[]): Grant[] =>
  proposed.map((grant, index) => ({ ...grant, id: `always-${index + 1}`, by: 'ann', time: 'now' }));

/** The policy with what an action would be granted always. */
function allowAlways(action: Action, policy: Policy = shipped): Policy {
  const proposal = proposeGrants(policy, action);
  assert.ok(proposal.ok, JSON.stringify(proposal));
  return { ...policy, grants: name(proposal.grants) };
}
const judge = (policy: Policy, action: Action): string[] => {
  const { verdict, rule } = decide(policy, action);
  return [verdict, rule];
};
const whyNot = (policy: Policy, action: Action): string => {
  const proposal = proposeGrants(policy, action);
  return proposal.ok ? 'granted' : proposal.why;
};

suite('a grant allows exactly what was asked about', () => {
  const forms: [Action, kind: string, lifts: string[], others: Action[]][] = [
    [
      command('git switch -c work'),
      'command',
      ['commands.git.switch'],
      [
        command('git switch -c work2'),
        command('git switch work'),
        command('git switch -c work', { cwd: 'src' }),
        command('cd src && git switch -c work'),
        command('echo x | git switch -c work'),
        command('git switch -c work < list'),
        command('git switch -c work <<< x'),
        command('CI=1 git switch -c work'),
        command('git switch -c work && git reset --hard HEAD'),
        command('git switch -c "$BRANCH"'),
        { ...command('git switch -c work'), workspace: '/work/other' },
      ],
    ],
    [
      command('for f in *.ts; do wc -l "$f"; done'),
      'text',
      ['shell'],
      [
        command('for f in *.ts; do wc -c "$f"; done'),
        command('for f in *.ts; do wc -l "$f"; done '),
        command('for f in *.ts; do wc -l "$f"; done', { cwd: 'src' }),
      ],
    ],
    [
      write('AGENTS.md', 'a'),
      'file',
      ['paths.write.ask[1]'],
      [
        write('CLAUDE.md', 'a'),
        write('docs/AGENTS.md', 'a'),
        write('agents.md', 'a'),
        builtIn.toAction({
          tool: 'edit_file',
          args: { path: 'AGENTS.md', old: 'a', new: 'b' },
          workspace,
        }),
        command('touch AGENTS.md'),
      ],
    ],
  ];
  for (const [action, kind, lifts, others] of forms) {
    test(JSON.stringify(action.args), () => {
      const policy = allowAlways(action);
      const [own] = policy.grants;
      assert.equal(policy.grants.length, 1);
      assert.equal(own?.granted.kind, kind);
      assert.deepEqual(own.lifts, lifts);
      assert.deepEqual(judge(policy, action), ['allow', 'always-1']);
      assert.equal(decide(policy, action).effect, decide(shipped, action).effect);
      for (const other of others) {
        assert.notEqual(decide(shipped, other).verdict, 'allow', JSON.stringify(other));
        assert.equal(decide(policy, other).verdict, decide(shipped, other).verdict);
      }
      assert.deepEqual(testPolicy(policy, builtIn.toSample).failures, []);
      assert.ok(
        testPolicy(policy, builtIn.toSample).examples >
          testPolicy(shipped, builtIn.toSample).examples,
      );
    });
  }
  test('a file tool may write anything there, by any spelling of the path', () => {
    const policy = allowAlways(write('AGENTS.md'));
    for (const path of ['./AGENTS.md', 'docs/../AGENTS.md', `${workspace}/AGENTS.md`])
      assert.equal(decide(policy, write(path, 'other')).verdict, 'allow', path);
  });
  test('where a link leads is judged by where it leads', () => {
    const policy = allowAlways(write('AGENTS.md'));
    const lifted = (path: string) =>
      liftPath(policy, write('x'), path, decidePath(policy, 'write', path)).verdict;
    assert.equal(lifted('AGENTS.md'), 'allow');
    assert.equal(lifted('CLAUDE.md'), 'ask');
    assert.equal(lifted('.env'), 'deny');
  });
  test('each part that asks gets its own, and counts in other lines too', () => {
    const policy = allowAlways(command('git switch work && git stash push 2>&1 | tail -5'));
    assert.deepEqual(
      policy.grants.map(({ granted }) => granted.kind === 'command' && granted.argv.join(' ')),
      ['git switch work', 'git stash push'],
    );
    assert.equal(decide(policy, command('git status; git switch work')).verdict, 'allow');
    assert.equal(decide(policy, command('git switch work; git stash pop')).verdict, 'ask');
    const { parts, decidedBy } = explainCommand(policy, command('git status && git switch work'));
    assert.deepEqual(
      parts.map(({ verdict, rule }) => `${verdict} ${rule}`),
      ['allow commands.git.status', 'allow always-1'],
    );
    assert.equal(decidedBy, 2);
  });
  test('words are not joined: an argument with a space is another one', () => {
    const policy = allowAlways(
      builtIn.toAction({
        tool: 'run_command',
        args: { argv: ['git', 'stash', 'push', 'a b'] },
        workspace,
      }),
    );
    assert.deepEqual(policy.grants[0]?.match, ["git stash push 'a b'"]);
    assert.notEqual(decide(policy, command('git stash push a b')).verdict, 'allow');
  });
  test('a tool of an MCP server: these arguments, in any order of their keys', () => {
    const policy = allowAlways(call({ id: 1, deep: { a: [1], b: null } }), asksForMcp);
    assert.equal(decide(policy, call({ deep: { b: null, a: [1] }, id: 1 })).verdict, 'allow');
    for (const args of [{ id: 1 }, { id: '1', deep: { a: [1], b: null } }, {}])
      assert.equal(decide(policy, call(args)).verdict, 'ask', JSON.stringify(args));
    const other = { ...call({ id: 1, deep: { a: [1], b: null } }), tool: 'mcp__docs__put' };
    assert.equal(decide(policy, other).verdict, 'ask');
    assert.deepEqual(testPolicy(policy, builtIn.toSample).failures, []);
  });
  test('one tool never speaks for another with the same arguments', () => {
    const ref = `sha256:${'a'.repeat(64)}`;
    const read = builtIn.toAction({ tool: 'read_blob', args: { ref }, workspace });
    const policy = allowAlways(read, asksForMcp);
    assert.equal(decide(policy, read).verdict, 'allow');
    assert.equal(decide(policy, { ...read, tool: 'mcp__x' }).verdict, 'ask');
  });
});

function tightened(files: TighteningFiles, base: Policy): Policy {
  const result = tighten(base, files);
  assert.ok(result.ok, JSON.stringify(result));
  return result.policy;
}

suite('a grant never lifts', () => {
  const wishes: [Action, TighteningFiles, rule: string][] = [
    [
      command('git switch work'),
      { tools: 'version: 1\ncommands: { git: { verdict: ask } }\n' },
      'workspace.commands.git.switch',
    ],
    [command('ls *.ts'), { tools: 'version: 1\nshell: { verdict: ask }\n' }, 'workspace.shell'],
    [
      write('AGENTS.md'),
      { paths: 'version: 1\nwrite: { ask: ["*.md"] }\n' },
      'workspace.paths.write.ask[0]',
    ],
    [
      write('AGENTS.md'),
      { tools: 'version: 1\ntools: { ask: [write_file] }\n' },
      'workspace.tools.ask[0]',
    ],
  ];
  for (const [action, files, rule] of wishes) {
    test(`what the workspace asks: ${rule}`, () => {
      const policy = tightened(files, allowAlways(action));
      assert.deepEqual(judge(policy, action), ['ask', rule]);
      assert.match(whyNot(policy, action), /the workspace itself asks about it/);
    });
  }
  test('what the workspace asks of commands that are not listed', () => {
    const asking: Policy = { ...shipped, shell: { ...shipped.shell, unlisted: 'ask' } };
    const action = command('cowsay moo');
    const granted = allowAlways(action, asking);
    assert.deepEqual(judge(granted, action), ['allow', 'always-1']);
    const policy = tightened({ tools: 'version: 1\nshell: { unlisted: ask }\n' }, granted);
    assert.deepEqual(judge(policy, action), ['ask', 'workspace.shell.unlisted']);
  });
  test('what another rule asks of the same action, though the one it lifts comes first', () => {
    const policy = allowAlways(command('git stash push src/a.ts'));
    const stricter = tightened({ paths: 'version: 1\nread: { ask: [src/**] }\n' }, policy);
    const { verdict, asks } = decide(stricter, command('git stash push src/a.ts'));
    assert.equal(verdict, 'ask');
    assert.deepEqual(asks, ['commands.git.stash.push', 'workspace.paths.read.ask[0]']);
  });
  test('what is asked because of untrusted text before the model', () => {
    const action = command('ls *.ts');
    const policy = allowAlways(action);
    const untrusted = { source: 'read_file README.md', kinds: ['override'] } as const;
    const { verdict, rule } = stepUp(decide(policy, action), policy, action, untrusted);
    assert.deepEqual([verdict, rule], ['ask', 'untrusted.stepped-up']);
    assert.ok(!isLiftable(rule));
  });
  test('a deny, not even one that comes later', () => {
    const action = command('git switch work');
    const policy = allowAlways(action);
    const denied = tightened(
      { tools: 'version: 1\ncommands: { git: { sub: { switch: { verdict: deny } } } }\n' },
      policy,
    );
    assert.equal(decide(denied, action).verdict, 'deny');
    const script = allowAlways(command('ls *.ts'));
    assert.deepEqual(judge(applyPreset(script, 'strict'), command('ls *.ts')), ['deny', 'shell']);
    assert.equal(decide(applyPreset(policy, 'strict'), action).verdict, 'allow');
    assert.equal(decide(applyPreset(policy, 'trusting'), action).verdict, 'allow');
  });
});

suite('what cannot be made a rule', () => {
  const rows: [string, Policy, Action, RegExp][] = [
    ['denied', shipped, command('git push'), /denies it by now/],
    ['allowed', shipped, command('git status'), /does not ask about it: commands\.git\.status/],
    [
      'a redirection',
      shipped,
      command('echo x > AGENTS.md'),
      /> AGENTS\.md is what needs approval/,
    ],
    ['a secret', shipped, command('ls *.ts; echo "[secret:github-token]"'), /contains a secret/],
  ];
  for (const [what, policy, action, why] of rows)
    test(what, () => assert.match(whyNot(policy, action), why));
  test('a variable that is asked about', () => {
    const [glob] = shipped.shell.variables.allow;
    assert.ok(glob !== undefined);
    const variables = { ...shipped.shell.variables, ask: [glob] };
    const policy = { ...shipped, shell: { ...shipped.shell, variables } };
    assert.match(
      whyNot(policy, command('CI=1 git switch work')),
      /CI=1 is what needs approval \(shell\.variables\)/,
    );
  });
});

test('a grant of another tool’s kind fails its examples', () => {
  const { grants } = allowAlways(command('git switch -c work'));
  const policy = { ...shipped, grants: grants.map((grant) => ({ ...grant, tool: 'write_file' })) };
  assert.match(
    testPolicy(policy, builtIn.toSample).failures[0]?.message ?? '',
    /always-1 names no action of write_file/,
  );
});

test('what is fed to a command is part of it: then the whole line is granted', () => {
  const policy = allowAlways(command('echo a | xargs cat'));
  assert.deepEqual(
    policy.grants.map(({ granted }) => granted.kind),
    ['text'],
  );
  assert.equal(decide(policy, command('echo a | xargs cat')).verdict, 'allow');
  assert.equal(decide(policy, command('echo b | xargs cat')).verdict, 'ask');
});

const asked = readCases<{ command?: string; verdict: string }>('commands')
  .filter(({ verdict, command: text }) => verdict === 'ask' && text !== undefined)
  .map(({ command: text = '' }) => text);

test('whatever is asked about can be granted, or the reason is said', () => {
  assert.ok(asked.length > 20);
  const refused = asked.filter((text) => !proposeGrants(shipped, command(text)).ok);
  for (const text of refused) assert.match(whyNot(shipped, command(text)), /is not a command/);
  assert.ok(refused.length < asked.length / 4, refused.join('\n'));
});

test('a grant changes no verdict of an action that differs in a word, and none of a deny', () => {
  const word = fc.constantFrom('git', 'switch', '-c', 'work', 'stash', 'push', 'rm', '-rf', 'src');
  const joint = fc.constantFrom(' ', ' && ', ' | ', '; ', ' > ', ' < ', '\n', ' || ');
  const text = fc.array(fc.tuple(word, joint), { minLength: 1, maxLength: 8 }).map((pairs) =>
    pairs
      .flatMap(([each, sign]) => [each, sign])
      .slice(0, -1)
      .join(''),
  );
  const other = fc.oneof(
    text,
    fc.constantFrom(...asked),
    fc.tuple(fc.constantFrom(...asked), joint, text).map((all) => all.join('')),
  );
  fc.assert(
    fc.property(fc.constantFrom(...asked), other, fc.boolean(), (granted, line, elsewhere) => {
      const proposal = proposeGrants(shipped, command(granted));
      if (!proposal.ok) return;
      const policy = { ...shipped, grants: name(proposal.grants) };
      const action = elsewhere ? { ...command(granted), workspace: '/work/other' } : command(line);
      const [before, now] = [decide(shipped, action), decide(policy, action)];
      if (now.verdict === before.verdict) return assert.equal(now.rule, before.rule);
      assert.ok(!elsewhere, granted);
      assert.deepEqual([before.verdict, now.verdict], ['ask', 'allow']);
      if (line === granted) return;
      // Then each part that asks is, word for word, what was granted.
      for (const part of explainCommand(shipped, action).parts)
        if (part.verdict === 'ask')
          assert.ok(
            policy.grants.some(
              ({ granted: it }) =>
                it.kind === 'command' &&
                it.cwd === part.cwd &&
                JSON.stringify(it.argv) === JSON.stringify(part.argv),
            ),
            part.text,
          );
    }),
    { numRuns: 3000 },
  );
});
