import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { CommandLine, Pipeline } from '../../policies/commands/command.ts';
import { CommandError, parseCommand, toCommandLine } from '../../policies/commands/shell.ts';
import { toJson } from '../setup/json.ts';

const pipelinesOf = (line: CommandLine): readonly Pipeline[] => {
  assert.equal(line.kind, 'plain', 'why' in line ? line.why : '');
  return 'pipelines' in line ? line.pipelines : [];
};
/** `when cwd: argv | argv`, words separated by commas. */
const outline = (line: CommandLine): string[] =>
  pipelinesOf(line).map(
    ({ when, cwd, commands }) =>
      `${when} ${cwd}: ${commands.map(({ argv }) => argv.join(',')).join(' | ')}`,
  );

suite('plain lines', () => {
  const outlines: [string, string[]][] = [
    ['ls', ['first .: ls']],
    ['a && b || c; d', ['first .: a', 'and .: b', 'or .: c', 'then .: d']],
    ['a\nb\n\n# note\nc', ['first .: a', 'then .: b', 'then .: c']],
    ['a | b | c && d', ['first .: a | b | c', 'and .: d']],
    ['cd src && ls', ['first src: ls']],
    ['a; cd src && b && c', ['first .: a', 'then src: b', 'and src: c']],
    ['a && cd src && b', ['first .: a', 'and src: b']],
    ['cd src; a; b', ['first src: a', 'then src: b']],
    ['cd src && cd .. && a', ['first .: a']],
    ['mkdir x && cd x', ['first .: mkdir,x', 'and x: true']],
    ['cd src', ['first src: true']],
    ['(cd a && b); c', ['first a: b', 'then .: c']],
    ['{ a; b; }; c', ['first .: a', 'then .: b', 'then .: c']],
    ['cd /work/ws/src && a', ['first src: a']],
    ["a 'b c' \"d e\" f\\ g h\"i\"'j' $'k\\n'", ['first .: a,b c,d e,f g,hij,k\n']],
    ['a "*" \'?\' \\* {x} HEAD~2 @{u} a=b -x=[', ['first .: a,*,?,*,{x},HEAD~2,@{u},a=b,-x=[']],
    ['a \\\n  b', ['first .: a,b']],
    ['a --include=*.ts -name', ['first .: a,--include=*.ts,-name']],
  ];
  for (const [text, expected] of outlines) {
    test(JSON.stringify(text), () => {
      assert.deepEqual(outline(parseCommand(text, { workspace: '/work/ws' })), expected);
    });
  }

  const redirects: [string, unknown[]][] = [
    ['a > f', [{ kind: 'output', fd: 1, path: 'f', append: false }]],
    ['a >| f', [{ kind: 'output', fd: 1, path: 'f', append: false }]],
    ['a 2>> f', [{ kind: 'output', fd: 2, path: 'f', append: true }]],
    ['a 2>/dev/null', [{ kind: 'output', fd: 2, path: '/dev/null', append: false }]],
    ['a >&2', [{ kind: 'duplicate', from: 1, to: 2 }]],
    ['a < f', [{ kind: 'input', path: 'f' }]],
    ['a <<< "x y"', [{ kind: 'text', text: 'x y\n' }]],
    ["a <<'E'\n$x\n\\n\nE", [{ kind: 'text', text: '$x\n\\n\n' }]],
    ['a <<-E\n\tx\n\tE', [{ kind: 'text', text: 'x\n' }]],
    [
      'a > f 2>&1',
      [
        { kind: 'output', fd: 1, path: 'f', append: false },
        { kind: 'duplicate', from: 2, to: 1 },
      ],
    ],
    [
      'a &>> f',
      [
        { kind: 'output', fd: 1, path: 'f', append: true },
        { kind: 'duplicate', from: 2, to: 1 },
      ],
    ],
  ];
  for (const [text, expected] of redirects) {
    test(JSON.stringify(text), () => {
      const [pipeline] = pipelinesOf(parseCommand(text));
      assert.deepEqual(pipeline?.commands[0]?.redirects, expected);
    });
  }
  test('variables in front of a command are its own', () => {
    const [pipeline] = pipelinesOf(parseCommand('X=1 Y="a b" Z=* a | b'));
    assert.deepEqual(toJson(pipeline?.commands), [
      {
        argv: ['a'],
        redirects: [],
        variables: [
          { name: 'X', value: '1' },
          { name: 'Y', value: 'a b' },
          { name: 'Z', value: '*' },
        ],
      },
      { argv: ['b'], redirects: [] },
    ]);
  });
  test('"|&" joins the errors to the pipe', () => {
    const [pipeline] = pipelinesOf(parseCommand('a |& b'));
    assert.deepEqual(pipeline?.commands[0]?.redirects, [{ kind: 'duplicate', from: 2, to: 1 }]);
  });
});

suite('lines that need a shell', () => {
  const texts = [
    'a $x',
    'a "$x"',
    'a $(b)',
    'a `b`',
    'a $((1+1))',
    'a <(b)',
    'a *.ts',
    'a [ab]',
    'a ?',
    'a {b,c}',
    'a {1..3}',
    'a ~',
    'a ~/b',
    'a x=~',
    'a @(b|c)',
    'X=~ a',
    'X+=1 a',
    'X=(1) a',
    'X=1',
    'a &',
    '! a',
    'if a; then b; fi',
    'for x in a; do b; done',
    'while a; do b; done',
    'case a in a) b;; esac',
    'a && (b)',
    'f() { a; }',
    '[[ -f a ]]',
    '((1))',
    'time a',
    'coproc a',
    '> f',
    'a 3> f',
    'a <> f',
    'a >&-',
    'a <&3',
    'a {fd}> f',
    'a <<E\n$x\nE',
    'a <<E\n\\x\nE',
    'a <<E\nx',
    'a "b',
    'a (',
    '',
    '#',
    'cd',
    'cd -',
    'cd $x',
    'cd a b',
    'cd -P a',
    'cd .. && a',
    'cd /etc',
    'a | cd b',
    'cd a || b',
    'a || cd b',
    'a && cd b; c',
    'a && cd b || c',
    '(a',
    'a $"b"',
    'set -e',
    'a || exit 1',
    'eval a',
    'export A',
    '. a',
    ': a',
  ];
  for (const text of texts) {
    test(JSON.stringify(text), () => {
      const line = parseCommand(text, { workspace: '/work/ws' });
      assert.ok(line.kind === 'shell', JSON.stringify(line));
      assert.equal(line.text, text);
      assert.notEqual(line.why, '');
    });
  }
});

suite('the command line a tool asks for', () => {
  test('a list of words runs as it is', () => {
    const line = toCommandLine({ argv: ['a', '$x', '*', '&&'], cwd: './src/' });
    assert.deepEqual(outline(line), ['first src: a,$x,*,&&']);
  });
  test('cwd is where text starts', () => {
    const line = toCommandLine({ command: 'cd a && b', cwd: '/work/ws/src' }, '/work/ws');
    assert.deepEqual(outline(line), ['first src/a: b']);
    const shell = toCommandLine({ command: 'a $x', cwd: 'src' });
    assert.equal('cwd' in shell ? shell.cwd : '', 'src');
  });
  for (const args of [{}, { command: 'a', argv: ['a'] }, { argv: [] }]) {
    test(`${JSON.stringify(args)} is refused`, () => {
      assert.throws(() => toCommandLine(args), CommandError);
    });
  }
  test('a cwd outside is refused', () => {
    assert.throws(() => toCommandLine({ command: 'a', cwd: '../x' }), CommandError);
  });
});
