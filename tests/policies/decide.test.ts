import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Action, Decision, Effect, Verdict } from '../../policies/action.ts';
import { withNetwork } from '../../cli/cases/candidates.ts';
import { decide, limitsOf } from '../../policies/decide.ts';
import { decideUrl } from '../../policies/network/network.ts';
import { decidePath } from '../../policies/paths/paths.ts';
import { readCases, readShipped, workspace } from './cases.ts';
import { toJson } from '../setup/json.ts';
import { builtIn } from '../../tools/built-in.ts';

const policy = await readShipped();

interface CommandCase {
  command?: string;
  argv?: string[];
  verdict: Verdict;
  effect?: Effect;
}

/** `everyday`: what models write all the time, so never denied; `bypasses`: ways around a list, so never less. */
suite('commands', () => {
  const rows = ['commands', 'everyday', 'bypasses'].flatMap((name) => readCases<CommandCase>(name));
  for (const { command, argv, verdict, effect } of rows) {
    const args = argv === undefined ? { command } : { argv };
    test(`${verdict}: ${JSON.stringify(command ?? argv)}`, () => {
      const decision = decide(policy, builtIn.toAction({ tool: 'run_command', args, workspace }));
      assert.equal(decision.verdict, verdict, `${decision.rule}: ${decision.reason}`);
      if (effect !== undefined) assert.equal(decision.effect, effect);
    });
  }
});

const tools = { read: 'read_file', list: 'list_files', write: 'write_file', delete: 'delete_file' };
interface PathCase {
  op: keyof typeof tools;
  path: string;
  verdict: Verdict;
}

suite('paths', () => {
  for (const { op, path, verdict } of readCases<PathCase>('paths')) {
    test(`${verdict}: ${op} ${JSON.stringify(path.slice(0, 60))}`, () => {
      const args = op === 'write' ? { path, content: 'x' } : { path };
      const decision = decide(policy, builtIn.toAction({ tool: tools[op], args, workspace }));
      assert.equal(decision.verdict, verdict, `${decision.rule}: ${decision.reason}`);
      assert.equal(decision.effect, op === 'read' || op === 'list' ? 'pure' : 'workspace');
    });
  }
});

interface UrlCase {
  url: string;
  allow: string[];
  addresses?: string[];
  method?: string;
  verdict: Verdict;
}

suite('urls', () => {
  for (const { url, allow, addresses, method, verdict } of readCases<UrlCase>('urls')) {
    const at = addresses === undefined ? '' : ` at ${addresses.join(', ')}`;
    test(`${verdict}: ${JSON.stringify(url)}${at}`, () => {
      const judged = withNetwork(policy, allow);
      assert.ok('network' in judged, JSON.stringify(judged));
      const decision = decideUrl(judged, url, addresses, method);
      assert.equal(decision.verdict, verdict, `${decision.rule}: ${decision.reason}`);
    });
  }
  test('the shipped policy reaches no host', () => {
    assert.equal(decideUrl(policy, 'https://example.com/').rule, 'network.default');
  });
});

const ask = (tool: unknown, args: unknown): Decision =>
  decide(policy, builtIn.toAction({ tool, args, workspace } as Action));

suite('calls', () => {
  const malformed: [string, unknown][] = [
    ['read_file', {}],
    ['read_file', { path: ['a', 'b'] }],
    ['read_file', { path: 5 }],
    ['read_file', { path: 'a', startLine: 0 }],
    ['read_file', { path: 'a', startLine: '1' }],
    ['read_file', { path: 'a', mode: 'rw' }],
    ['read_file', null],
    ['read_file', ['a']],
    ['write_file', { path: 'a' }],
    ['write_file', { path: 'a', content: { toString: 'x' } }],
    ['write_file', { path: 'a', content: '\ud800' }],
    ['edit_file', { path: 'a', old: 'x' }],
    ['edit_file', { path: 'a', old: 'x', new: 'y', all: 'yes' }],
    ['search', { pattern: 'a', glob: '../**' }],
    ['search', { pattern: 'a', glob: '/etc/**' }],
    ['run_command', {}],
    ['run_command', { command: 'ls', argv: ['ls'] }],
    ['run_command', { command: ['ls'] }],
    ['run_command', { argv: 'ls' }],
    ['run_command', { argv: [] }],
    ['run_command', { argv: ['ls', 1] }],
    ['run_command', { command: 'ls', env: { A: '1' } }],
    ['run_command', { command: 'ls', timeoutSeconds: -1 }],
    ['run_command', { command: 'ls', timeoutSeconds: '5' }],
    ['run_command', { command: 'ls', cwd: '..' }],
    ['run_command', { command: 'ls', cwd: 7 }],
    ['read_blob', { ref: '../x' }],
    ['finish_step', { summary: 'x' }],
    ['toString', {}],
    ['__proto__', {}],
    ['nope', {}],
    ['mcp__docs__search', { q: 'x' }],
  ];
  for (const [tool, args] of malformed) {
    test(`deny: ${tool} ${JSON.stringify(args)}`, () => {
      const decision = ask(tool, args);
      assert.equal(decision.verdict, 'deny');
      assert.match(decision.reason, /\S.*\.$/s);
    });
  }
  test('deny: a tool that is not text, arguments that throw', () => {
    assert.equal(ask(undefined, {}).verdict, 'deny');
    const trap = new Proxy(
      {},
      {
        ownKeys() {
          throw new Error('trap');
        },
      },
    );
    assert.equal(ask('read_file', trap).rule, 'tools.form');
  });
  const wellFormed: [string, unknown][] = [
    ['list_files', {}],
    ['search', { pattern: 'a', path: 'src', glob: '*.ts' }],
    ['edit_file', { path: 'src/a.ts', old: 'x', new: 'y', all: true }],
    ['run_command', { argv: ['ls'], cwd: 'src', timeoutSeconds: 5 }],
    ['run_command', { command: 'cat ../README.md', cwd: 'src' }],
    ['run_command', { command: 'ls', cwd: '/work/ws/src' }],
    ['read_blob', { ref: `sha256:${'a'.repeat(64)}`, start: 0, end: 10 }],
    ['ask_human', { question: 'Which one?' }],
    ['finish_step', { summary: 'done', evidence: 'npm test' }],
  ];
  for (const [tool, args] of wellFormed) {
    test(`allow: ${tool} ${JSON.stringify(args).slice(0, 70)}`, () => {
      const decision = ask(tool, args);
      assert.equal(decision.verdict, 'allow', decision.reason);
    });
  }
  test('what is too large to write is refused by its bytes, not its characters', () => {
    const content = 'é'.repeat(600_000);
    assert.equal(ask('write_file', { path: 'a', content }).rule, 'paths.limits.write_bytes');
    assert.equal(ask('write_file', { path: 'a', content: 'e'.repeat(600_000) }).verdict, 'allow');
  });
  test('the reason names the part that decided', () => {
    const { rule, reason } = ask('run_command', { command: 'ls && git push origin main && pwd' });
    assert.equal(rule, 'commands.git.push');
    assert.match(reason, /git push origin main/);
  });
});

test('the final place of a link is judged relative to the root only', () => {
  assert.equal(decidePath(policy, 'read', 'src/a.ts').verdict, 'allow');
  assert.equal(decidePath(policy, 'read', '/work/ws/src/a.ts').rule, 'paths.outside');
  assert.equal(decidePath(policy, 'write', 'x/.git/config').rule, 'paths.write.deny[0]');
});

test('limits are those of the file', () => {
  assert.deepEqual(toJson(limitsOf(policy)), {
    steps: 50,
    toolCalls: 500,
    tokens: 3_000_000,
    minutes: 120,
    outputBytes: 200_000_000,
  });
});
