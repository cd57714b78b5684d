/** Looks for ways around the policy: readings that differ from bash, spellings that change a verdict, options by another name. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import * as fc from 'fast-check';
import type {
  CommandLine,
  Pipeline,
  Redirect,
  SimpleCommand,
} from '../../policies/commands/command.ts';
import { decide } from '../../policies/decide.ts';
import type { Option } from '../../policies/commands/arg-spec.ts';
import type { CommandRule } from '../../policies/policy.ts';
import { parseCommand } from '../../policies/commands/shell.ts';
import { readCases, readShipped, workspace } from './cases.ts';
import { builtIn } from '../../tools/built-in.ts';

const policy = await readShipped();
const judge = (command: string) =>
  decide(policy, builtIn.toAction({ tool: 'run_command', args: { command }, workspace }));

const nasty = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('p', 'p', ' ', ' ', ' ', ';', '\n', '&&', '||', '\t') },
  {
    weight: 5,
    arbitrary: fc.constantFrom(
      "'",
      '"',
      '\\',
      "'a b'",
      '"a b"',
      'a\\ b',
      "$'\\n'",
      "$'\\x41'",
      "$'\\u00e9'",
      '""',
      "''",
      '#',
      ' # ',
      'a#b',
      '\\\n',
      '\\;',
      '\\#',
      '=',
      'a=b',
      '-x',
      '--y=z',
      '{',
      '}',
      '{}',
      '{a}',
      '!',
      '\\!',
      '<<<x',
      "<<'E'\nx\nE\n",
      '<<E\nx\nE\n',
      '<<-E\n\tx\n\tE\n',
      '>/dev/null',
      '2>&1',
      '&>/dev/null',
      '\u00a0',
      '\u2028',
      '\u200b',
      'é',
      '\\é',
      '~',
      '*',
      '?',
      '[a]',
      '$x',
      '$',
      '%',
      '^',
      '@',
      ',',
      ':',
      '.',
      '+',
      '(',
      ')',
      'if',
      'then',
      'fi',
      'do',
      'done',
      'case',
      'in',
      'esac',
      'time',
      'function',
      '[[',
      ']]',
      '[',
      ']',
      '"\\a"',
      '"\\""',
      '"\\\\"',
      '"\\$"',
      '"\\`"',
      "'\\'",
      '"\n"',
      "$'\\''",
      "$'\\0'",
      "$'\\c'",
      "$'\\101x'",
    ),
  },
  { weight: 1, arbitrary: fc.string({ maxLength: 3, unit: 'binary' }) },
);
const nastyLine = fc
  .array(nasty, { minLength: 1, maxLength: 9 })
  .map((pieces) => `p ${pieces.join('')}`);

/** What bash calls `p` with when it runs the text; undefined when the text calls anything else or is none. */
function askBash(folder: string, line: string): string[][] | undefined {
  const prelude =
    'p() { { printf "%d" "$#"; printf "\\0%s" "$@"; printf "\\0\\n"; } >&9; }; command_not_found_handle() { printf "other\\n" >&9; };';
  const { stdout, status, stderr } = spawnSync(
    '/bin/bash',
    ['--noprofile', '--norc', '-c', `${prelude} exec 9>&1 1>/dev/null;\n eval "$1"`, 'bash', line],
    {
      cwd: folder,
      env: { PATH: '/nonexistent', LANG: 'C.UTF-8' },
      encoding: 'utf8',
      timeout: 5_000,
    },
  );
  if (status === null || /syntax error|unexpected|warning/.test(stderr)) return undefined;
  const calls: string[][] = [];
  for (let rest = stdout; rest !== '';) {
    const count = /^(\d+)\0/.exec(rest);
    if (count === null) return undefined;
    rest = rest.slice(count[0].length);
    const words: string[] = [];
    for (let left = Number(count[1]); left > 0; left--) {
      const end = rest.indexOf('\0');
      words.push(rest.slice(0, end));
      rest = rest.slice(end + 1);
    }
    // printf writes one empty word where there is none.
    if (Number(count[1]) === 0) rest = rest.slice(rest.indexOf('\0') + 1);
    if (!rest.startsWith('\n')) return undefined;
    rest = rest.slice(1);
    calls.push(['p', ...words]);
  }
  return calls;
}

/** What we would start, every command succeeding. */
const toCalls = (pipelines: readonly Pipeline[]): string[][] =>
  pipelines
    .filter(({ when }) => when !== 'or')
    .flatMap(({ commands }) => commands.map(({ argv }) => [...argv]));

suite('bash', () => {
  const folder = mkdtempSync(join(tmpdir(), 'searching-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  test('what is taken for plain words is what bash reads', () => {
    let compared = 0;
    fc.assert(
      fc.property(nastyLine, (line) => {
        if (line.includes('\0') || !line.isWellFormed()) return;
        const read = parseCommand(line);
        if (read.kind !== 'plain') return;
        const calls = toCalls(read.pipelines);
        if (calls.some(([name]) => name !== 'p')) return;
        compared += 1;
        assert.deepEqual(askBash(folder, line), calls, JSON.stringify(line));
      }),
      { numRuns: 600 },
    );
    assert.ok(compared > 40, `only ${compared} lines were plain`);
  });
});

const quoteWord = (word: string, style: number): string => {
  const single = `'${word.replaceAll("'", String.raw`'\''`)}'`;
  const safe = /^[\w./:@%+,-]+$/.test(word);
  switch (style) {
    case 0:
      return single;
    case 1:
      return `"${word.replaceAll(/["\\$`]/g, String.raw`\$&`)}"`;
    case 2:
      return safe ? Array.from(word, (char) => `\\${char}`).join('') : single;
    case 3:
      return safe && word.length > 1 ? `${word.slice(0, 1)}''${word.slice(1)}` : single;
    case 4:
      return `$'${Array.from(word, (char) => `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`).join('')}'`;
    default:
      return safe ? word : single;
  }
};

interface Row {
  readonly command?: string;
}
const lines = ['commands', 'everyday', 'bypasses'].flatMap((name) =>
  readCases<Row>(name).flatMap(({ command }) => (command === undefined ? [] : [command])),
);
const plain = lines.flatMap((command) => {
  const line = parseCommand(command, { workspace });
  return line.kind === 'plain' ? [{ command, line }] : [];
});

suite('spelling', () => {
  const simple = plain.flatMap(({ command, line: { pipelines } }) => {
    const [only, ...others] = pipelines;
    const [first, ...more] = only?.commands ?? [];
    const whole = others.length === 0 && more.length === 0 && only?.cwd === '.';
    return whole && first?.redirects.length === 0 && first.variables === undefined
      ? [{ command, argv: first.argv }]
      : [];
  });
  const gap = fc.constantFrom(' ', '  ', '\t', ' \\\n', '\\\n ');
  const around = fc.constantFrom(
    '%',
    ' %',
    '% ',
    '%;',
    '% # note',
    '%\n',
    '\n%',
    '{ %; }',
    '( % )',
    'true && %',
    '% && true',
    '%; true',
  );
  test('quotes, white space, comments and groups do not change a verdict', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...simple),
        fc.infiniteStream(fc.nat({ max: 6 })),
        fc.infiniteStream(gap),
        around,
        ({ command, argv }, styles, gaps, form) => {
          const written = argv
            .map((word) => quoteWord(word, styles.next().value))
            .reduce((before, word) => `${before}${gaps.next().value}${word}`);
          const [was, now] = [judge(command), judge(form.replace('%', () => written))];
          assert.equal(now.verdict, was.verdict, `${form} ${written}: ${was.rule}, ${now.rule}`);
        },
      ),
      { numRuns: 3_000 },
    );
  });
  const denied = lines.filter((command) => judge(command).verdict === 'deny');
  test('white space between the words of what is denied does not loosen it', () => {
    const unquoted = denied.filter((command) => !/['"\\#<]/.test(command) && command.includes(' '));
    fc.assert(
      fc.property(fc.constantFrom(...unquoted), fc.nat(), gap, (command, place, put) => {
        const gaps = [...command.matchAll(/ /g)].map(({ index }) => index);
        const at = gaps[place % gaps.length] ?? 0;
        const wider = `${command.slice(0, at)}${put}${command.slice(at)}`;
        assert.equal(judge(wider).verdict, 'deny', JSON.stringify(wider));
      }),
      { numRuns: 1_000 },
    );
  });
  test('an invisible sign in front of what is denied makes no command of it', () => {
    const sign = fc.constantFrom('\u200b', '\u00a0', '\ufeff', '\u202e', '\u2028');
    fc.assert(
      fc.property(fc.constantFrom(...denied), sign, (command, put) => {
        assert.notEqual(judge(put + command).verdict, 'allow', JSON.stringify(put + command));
      }),
      { numRuns: 500 },
    );
  });
});

const printRedirect = (redirect: Redirect): string => {
  switch (redirect.kind) {
    case 'input':
      return `< ${quoteWord(redirect.path, 0)}`;
    case 'text':
      return `<<'ENDOFTEXT'`;
    case 'output':
      return `${redirect.fd}>${redirect.append ? '>' : ''} ${quoteWord(redirect.path, 0)}`;
    case 'duplicate':
      return `${redirect.from}>&${redirect.to}`;
  }
};
const printCommand = ({ argv, redirects, variables = [] }: SimpleCommand): string =>
  [
    ...variables.map(({ name, value }) => `${name}=${quoteWord(value, 0)}`),
    ...argv.map((word) => quoteWord(word, 0)),
    ...redirects.map(printRedirect),
  ].join(' ');
const joints = new Map([
  ['first', ''],
  ['and', '&&'],
  ['or', '||'],
  ['then', ';'],
]);
const printLine = (pipelines: readonly Pipeline[]): string =>
  pipelines
    .map(({ when, commands }) => `${joints.get(when)} ${commands.map(printCommand).join(' | ')}`)
    .join(' ');

const isPrintable = ({ pipelines }: CommandLine & { kind: 'plain' }): boolean =>
  pipelines.every(
    ({ cwd, commands }) =>
      cwd === '.' &&
      commands.every(({ redirects }) => redirects.every(({ kind }) => kind !== 'text')),
  );

const checkPrinted = (line: CommandLine): void => {
  if (line.kind !== 'plain' || !isPrintable(line)) return;
  const printed = printLine(line.pipelines);
  assert.deepEqual(parseCommand(printed, { workspace }), line, printed);
};

test('read, printed and read again, a line is the same', () => {
  for (const { line } of plain) checkPrinted(line);
  fc.assert(
    fc.property(nastyLine, (line) => checkPrinted(parseCommand(line, { workspace }))),
    { numRuns: 3_000 },
  );
});

const levels = function* (
  rule: CommandRule,
  words: readonly string[],
): Generator<[CommandRule, readonly string[]]> {
  yield [rule, words];
  for (const [name, child] of rule.sub) yield* levels(child, [...words, name]);
};
const everyLevel = [...policy.commands].flatMap(([name, rule]) => [...levels(rule, [name])]);
const decideWords = (argv: readonly string[]) =>
  decide(policy, builtIn.toAction({ tool: 'run_command', args: { argv }, workspace })).verdict;

const spellings = (
  { name, takes }: Option,
  value: string,
  style: CommandRule['style'],
): string[][] => {
  const attached = name.startsWith('--') || style === 'words' ? `${name}=${value}` : name + value;
  if (takes === 'required') return [[name, value], [attached]];
  return takes === 'nothing' ? [] : [[attached]];
};

suite('options', () => {
  test('no beginning of a long option stands for it', () => {
    let tried = 0;
    for (const [rule, words] of everyLevel) {
      if (rule.verdict === 'deny' || rule.lenient) continue;
      for (const name of rule.options.keys()) {
        if (!name.startsWith('--')) continue;
        for (let length = 3; length < name.length; length++) {
          const short = name.slice(0, length);
          if (rule.options.has(short)) continue;
          tried += 1;
          assert.equal(decideWords([...words, short]), 'deny', [...words, short].join(' '));
          assert.equal(
            decideWords([...words, `${short}=x`]),
            'deny',
            `${words.join(' ')} ${short}=x`,
          );
        }
      }
    }
    assert.ok(tried > 1_000);
  });

  const outside = ['../x', '/etc/passwd', 'a/../../x', '.env', 'src/../.env'];
  const ofFiles = new Set(['path', 'write', 'delete', 'move', 'target', 'folder', 'source']);
  test('no option takes a path that the policy denies, however it is spelled', () => {
    let tried = 0;
    for (const [rule, words] of everyLevel) {
      for (const option of rule.options.values()) {
        if (!ofFiles.has(option.type.kind)) continue;
        for (const path of outside) {
          for (const spelled of spellings(option, path, rule.style)) {
            tried += 1;
            const argv = [...words, ...spelled, 'a'];
            assert.equal(decideWords(argv), 'deny', argv.join(' '));
          }
        }
      }
    }
    assert.ok(tried > 50, String(tried));
  });
  test('no operand is a path that the policy denies, in whatever place', () => {
    let tried = 0;
    for (const [rule, words] of everyLevel) {
      const { before, many, after: behind } = rule.operands;
      const types = [...before, ...(many === undefined ? [] : [many.type]), ...behind];
      if (!types.some(({ kind }) => ofFiles.has(kind) || kind === 'pathspec')) continue;
      for (const [place, { kind }] of types.entries()) {
        if (!ofFiles.has(kind) && kind !== 'pathspec') continue;
        for (const path of outside) {
          for (const end of [[], ['--']]) {
            tried += 1;
            const operands = types.map((_, index) => (index === place ? path : 'a'));
            const argv = [...words, ...end, ...operands];
            assert.equal(decideWords(argv), 'deny', argv.join(' '));
          }
        }
      }
    }
    assert.ok(tried > 300, String(tried));
  });
  test('a command that starts another one is no way around', () => {
    const denied = [
      'git push',
      'cat .env',
      './x',
      'sh -c ls',
      'rm -rf src',
      'curl x',
      'sort --compress-program=./x a',
    ];
    const wraps = [
      'timeout 5 %',
      'timeout -s KILL 5 timeout 5 %',
      'xargs %',
      'xargs -n 1 %',
      'CI=1 %',
      'cd src && %',
      '% 2>&1',
      '% < a',
      'true | %',
      '% | cat',
      '% > out',
      'python3 -m %',
      'ls; %',
      '{ %; }',
      '( % )',
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...denied),
        fc.array(fc.constantFrom(...wraps), { minLength: 1, maxLength: 4 }),
        (bad, around) => {
          const line = around.reduce((inner, wrap) => wrap.replace('%', () => inner), bad);
          assert.equal(judge(line).verdict, 'deny', line);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
