/** Command lines made of the parser's and the judge's own pieces, as long as they may be. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { decide } from '../../policies/decide.ts';
import { findSlow } from '../hostile/run.ts';
import type { Task } from '../hostile/run.ts';
import { readCases, readShipped, workspace } from './cases.ts';
import { builtIn } from '../../tools/built-in.ts';

const longest = 262_100;
const policy = await readShipped();
const judge = (args: Readonly<Record<string, unknown>>) =>
  decide(policy, builtIn.toAction({ tool: 'run_command', args, workspace }));

const starters =
  'timeout 1 |xargs |npx |env |nice |node_modules/.bin/a |find . -exec |git -C a '.split('|');
const operands = [
  'HEAD:',
  'git show HEAD:',
  'cat .env ',
  'cat a ',
  'rm . ',
  'find / ',
  'rg x ../out ',
  'cp a b ',
  '> a ',
  '< a ',
  '2>&1 ',
  '1>&a',
  'cd a && ',
  'cd $a; ',
  'a=b ',
  'A=~:',
  'git add .env ',
  'sed s/a/b/ ',
  "sed -n '1p;",
  'awk "print ',
  '--a=',
  '-a ',
  '/',
  '/.',
  './',
  '../',
  '.env/',
];
const signs = [
  '| ',
  '|',
  '||',
  '&&',
  '& ',
  '; ',
  ';',
  'a;',
  'a|',
  '$(',
  '`',
  '\\`',
  '"',
  "'",
  '"$(',
  '${a:-',
  '${',
  '$((',
  '((',
  '[[ ',
  '{ ',
  '{a,',
  '{a,b}',
  '( ',
  ')',
  '<<E\n',
  '<<E ',
  '<<E;',
  '<<E\nE\n',
  'if a; then ',
  'case a in a) ',
  'for a in ',
  'while a; do ',
  'a=(',
  'a[',
  '~',
  '\\',
  '\\\n',
  '#',
  '\n',
  '*',
  '?',
  '[a',
  '!(',
  '@(a|',
  "$'\\x",
  '$"',
  'a() { ',
  'time ',
  '! ',
  '<(',
  'echo ${#',
  '$[',
  '{1..9}',
  '[[ a =~ (',
  '))',
  '}',
  '\t',
  '…',
  '\u{1f600}',
  '\ud800',
];

suite('as long as a command may be, it is judged', () => {
  const pieces = [...starters, ...operands, ...signs];
  for (const task of ['command', 'quoted', 'word'] as const satisfies readonly Task[])
    test(task, async () => {
      const texts = pieces.map((piece) => ({ task, piece, length: longest }));
      assert.equal(await findSlow(texts), undefined);
    });

  test('words', async () => {
    const texts = [...starters, ...operands].map((piece) => ({
      task: 'words' as const,
      piece: `${piece.trim()} `,
      length: longest,
    }));
    assert.equal(await findSlow(texts), undefined);
  });

  test('every command of the table, again and again, and cut short', async () => {
    const commands = readCases<{ command?: string }>('commands')
      .flatMap(({ command }) => command ?? [])
      .filter((_, index) => index % 4 === 0);
    const texts = commands
      .flatMap((text) => [`${text}\n`, `${text} `, text.slice(0, text.length / 2)])
      .filter((piece) => piece !== '')
      .map((piece) => ({ task: 'command' as const, piece, length: 32_768 }));
    assert.equal(await findSlow(texts), undefined);
  });
});

suite('what is too much to be judged is refused, with the reason', () => {
  for (const [name, args, reason] of [
    ['commands in each other', { command: `${'timeout 1 '.repeat(100)}ls` }, /start one another/],
    ['colons in a revision', { argv: ['git', 'show', 'HEAD:'.repeat(100)] }, /colons/],
    ['parts', { command: 'ls;'.repeat(2_000) }, /more than 1024 parts/],
    ['parts of a script', { command: `ls $a;${'ls;'.repeat(2_000)}` }, /more than 1024 parts/],
    ['words', { argv: ['ls', ...'a '.repeat(9_000).trim().split(' ')] }, /more than 8192 words/],
    ['words of a script', { command: `ls $a ${'b '.repeat(9_000)}` }, /more than 8192 words/],
    ['characters', { command: 'a'.repeat(262_145) }, /at most 262144 characters/],
    ['characters in words', { argv: ['ls', 'a'.repeat(262_145)] }, /at most 262144 characters/],
    ['here-documents', { command: '<<E '.repeat(1_100) }, /more than 1000 times/],
  ] as const)
    test(name, () => {
      const decision = judge(args);
      assert.equal(decision.verdict, 'deny', decision.reason);
      assert.match(decision.reason, reason);
    });
});

test('what ordinary work needs is far from any bound', () => {
  for (const args of [
    { command: 'timeout 60 npm test' },
    { command: `cat > a.cpp <<'E'\n${'  std::cout << "line" << std::endl;\n'.repeat(300)}E` },
    { command: Array.from({ length: 200 }, (_, at) => `echo ${at}`).join(' && ') },
    { argv: ['git', 'add', ...Array.from({ length: 3_000 }, (_, at) => `src/file-${at}.ts`)] },
    { command: 'git show HEAD:src/a.ts' },
  ])
    assert.notEqual(judge(args).verdict, 'deny', JSON.stringify(args).slice(0, 80));
});

test('a command with the name of what every object has is refused like any other', async () => {
  const pieces = ['toString', '__proto__', 'constructor', 'hasOwnProperty'];
  const texts = pieces.map((piece) => ({ task: 'command' as const, piece, length: 1 }));
  assert.equal(await findSlow(texts), undefined);
  for (const command of pieces) assert.notEqual(judge({ command }).verdict, 'allow');
});
