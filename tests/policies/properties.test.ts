import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Verdict } from '../../policies/action.ts';
import { decide } from '../../policies/decide.ts';
import { matchesGlob, toGlob } from '../../policies/paths/glob.ts';
import { locate } from '../../policies/paths/paths.ts';
import { parseCommand } from '../../policies/commands/shell.ts';
import { readCases, readShipped, workspace } from './cases.ts';
import { builtIn } from '../../tools/built-in.ts';

const policy = await readShipped();
const judge = (command: string) =>
  decide(policy, builtIn.toAction({ tool: 'run_command', args: { command }, workspace }));

const name = fc.oneof(
  fc.constantFrom('..', '.', '', 'src', '.git', 'work', 'ws', 'ws-evil', 'etc', '...', '.env'),
  fc.string({ maxLength: 6, unit: 'grapheme' }),
);
const path = fc
  .tuple(fc.constantFrom('', '/', '/work/ws/', '/work/', '//'), fc.array(name, { maxLength: 7 }))
  .map(([start, names]) => start + names.join('/'));

test('no accepted path resolves outside the workspace', () => {
  fc.assert(
    fc.property(path, fc.array(fc.constantFrom('a', 'b'), { maxLength: 2 }), (text, cwd) => {
      const located = locate(text, { workspace, cwd });
      if (!located.ok) return;
      const absolute = posix.resolve(workspace, ...cwd, text);
      assert.ok(absolute === workspace || absolute.startsWith(`${workspace}/`), absolute);
      assert.equal(posix.join(workspace, ...located.names), absolute);
    }),
    { numRuns: 3000 },
  );
});

test('a path that reaches .git or .env is never written, however it is spelled', () => {
  const variant = fc
    .tuple(fc.constantFrom('.git', '.env'), fc.infiniteStream(fc.nat({ max: 3 })))
    .map(([word, dice]) =>
      Array.from(word)
        .map((char) => {
          const roll = dice.next().value;
          if (roll === 1) return char.toUpperCase();
          return roll === 2 ? `${char}\u200b` : char;
        })
        .join(''),
    );
  fc.assert(
    fc.property(variant, fc.constantFrom('', '.', ' ', '. .'), name, (word, tail, below) => {
      const args = { path: `x/../a/${word}${tail}/${below}`, content: '' };
      const { verdict, rule } = decide(
        policy,
        builtIn.toAction({ tool: 'write_file', args, workspace }),
      );
      // A ".." below leaves the folder again.
      if (below !== '..') assert.equal(verdict, 'deny', rule);
    }),
    { numRuns: 500 },
  );
});

interface CommandCase {
  command?: string;
  verdict: Verdict;
}
const cases = readCases<CommandCase>('commands').filter(({ command }) => command !== undefined);
const linesOf = (verdict: Verdict) =>
  cases
    .filter((row) => row.verdict === verdict)
    .map(({ command = '' }) => command)
    // What ends in a here-document, a comment or "&" takes what follows for its own.
    .filter((text) => !/<<|#|&\s*$/.test(text));
const denied = [
  'curl x',
  './x',
  'git push',
  'cat .env',
  'rm -rf src',
  'echo a > .git/config',
  'cd /etc',
];

test('a denied part makes every accepted line denied', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...linesOf('allow'), ...linesOf('ask')),
      fc.constantFrom(...denied),
      fc.constantFrom(' && ', ' || ', '; ', ' | ', '\n', ' |& '),
      fc.boolean(),
      (good, bad, joint, first) => {
        // An operator binds tighter than ";" and newline: a group keeps the accepted line whole.
        const { verdict, reason } = judge(
          first ? `${bad}${joint}${good}` : `${good}${joint}${bad}`,
        );
        assert.equal(verdict, 'deny', reason);
      },
    ),
    { numRuns: 1000 },
  );
});

test('a denied part is found at any depth of a script', () => {
  const wrap = fc.constantFrom(
    (text: string) => `echo $( ${text})`,
    (text: string) => `if true; then ${text}; fi`,
    (text: string) => `for f in a b; do ${text}; done`,
    (text: string) => `( ${text})`,
    (text: string) => `{ ${text}; }`,
    (text: string) => `echo "\${x:-$( ${text})}"`,
    (text: string) => `cat <(${text})`,
    (text: string) => `case a in a) ${text};; esac`,
    (text: string) => `while true; do ${text}; done > out.txt`,
    (text: string) => `true && ! ${text}`,
    (text: string) => `x=$( ${text})`,
  );
  fc.assert(
    fc.property(
      fc.array(wrap, { minLength: 1, maxLength: 4 }),
      fc.constantFrom(...denied),
      (wraps, bad) => {
        const text = wraps.reduce((inner, around) => around(inner), bad);
        assert.equal(judge(text).verdict, 'deny', text);
      },
    ),
    { numRuns: 500 },
  );
});

test('every text is judged and none is a crash', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'git',
      'ls',
      'cat',
      '-x',
      '&&',
      '|',
      ';',
      '>',
      '<',
      '<<',
      "'",
      '"',
      '$(',
      ')',
      '`',
      '{',
      '}',
      '\n',
      '\\',
      '~',
      '*',
      '..',
      '$x',
      '&',
      '#',
    ),
    fc.string({ maxLength: 5 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const decision = judge(pieces.join(' '));
      assert.notEqual(decision.rule, 'policy.failed', decision.reason);
    }),
    { numRuns: 3000 },
  );
});

test('quoted words come out as they went in', () => {
  const word = fc
    .string({ minLength: 1, maxLength: 8, unit: 'grapheme' })
    .filter((text) => !/[\0\r]/.test(text));
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), (words) => {
      const text = `echo ${words.map((each) => `'${each.replaceAll("'", String.raw`'\''`)}'`).join(' ')}`;
      const line = parseCommand(text);
      assert.deepEqual('pipelines' in line && line.pipelines[0]?.commands[0]?.argv, [
        'echo',
        ...words,
      ]);
    }),
    { numRuns: 500 },
  );
});

/** What a pattern means, said another way. */
const expression = (glob: string): RegExp =>
  new RegExp(
    `^${glob
      .split('/')
      .map((text) =>
        text === '**'
          ? '(?:/[^/]+)*'
          : `/${text.replaceAll('*', '[^/]*').replaceAll('?', '[^/]').replaceAll('[!', '[^')}`,
      )
      .join('')}$`,
  );

test('a pattern matches what the same regular expression matches', () => {
  const part = fc.constantFrom('a', 'b', '*', '?', '**', 'a*', '*b', '[ab]', '[!a]', 'a?b');
  fc.assert(
    fc.property(
      fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/')),
      fc.array(fc.string({ minLength: 1, maxLength: 3, unit: fc.constantFrom('a', 'b', 'c') }), {
        maxLength: 5,
      }),
      (text, names) => {
        const wanted = expression(text).test(names.map((each) => `/${each}`).join(''));
        assert.equal(matchesGlob(toGlob(text), names), wanted, `${text} on ${names.join('/')}`);
      },
    ),
    { numRuns: 3000 },
  );
});
