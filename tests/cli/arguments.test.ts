import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseInvocation } from '../../cli/arguments.ts';
import { commands, loadCommand } from '../../cli/commands.ts';
import { CliError } from '../../cli/errors.ts';
import { findNearest } from '../../client/nearest.ts';
import { chooseCommand } from '../../cli/program.ts';

const parse = async (line: readonly string[]) => {
  const { entry, rest } = chooseCommand(line);
  return { name: entry.name, ...parseInvocation(await loadCommand(entry), rest) };
};

const accepted: [line: string[], name: string, args: string[], options: object, json?: true][] = [
  [['list'], 'list', [], {}],
  [['list', '--json'], 'list', [], {}, true],
  [['fix the tests'], 'run', ['fix the tests'], {}],
  [['run', 'word'], 'run', ['word'], {}],
  [['-'], 'run', ['-'], {}],
  [['run', '-'], 'run', ['-'], {}],
  [['--demo', 'look around'], 'run', ['look around'], { demo: true }],
  [
    ['run', '-C', '/', '-mqwen', '--max-steps=5', 'do it'],
    'run',
    ['do it'],
    { directory: '/', model: 'qwen', 'max-steps': 5 },
  ],
  [['policies', 'check', 'ls -la'], 'policies check', ['ls -la'], {}],
  [['say', 'r1', '--', '--verbose'], 'say', ['r1', '--verbose'], {}],
  [['deny', 'r1', '--reason=-x is dangerous'], 'deny', ['r1'], { reason: '-x is dangerous' }],
  [['logs', '-f', 'r1'], 'logs', ['r1'], { follow: true }],
  [['replay', 'a', 'b', 'c'], 'replay', ['a', 'b', 'c'], {}],
];
for (const [line, name, args, options, json = false] of accepted) {
  test(`agent ${line.join(' ')} is ${name}`, async () => {
    assert.deepEqual(await parse(line), { name, args, options, json });
  });
}

test('--help wins over an argument that is missing', async () => {
  assert.deepEqual(await parse(['show', '--help']), { name: 'show' });
});

const refused: [string[], RegExp][] = [
  [['lsit'], /Unknown command "lsit"\. Did you mean "agent list"\?/],
  [['frobnicate'], /Unknown command "frobnicate"\./],
  [['promote'], /Missing run. Usage: agent promote run/],
  [['list', '--jsn'], /Unknown option --jsn for "agent list"\. Did you mean --json\?/],
  [['list', '--constructor'], /Unknown option --constructor/],
  [['list', '-x'], /Unknown option -x/],
  [['list', 'r1'], /Unexpected argument "r1"/],
  [['run'], /Missing "goal"/],
  [['run', 'fix', 'the', 'tests'], /Put text of several words in quotes/],
  [['run', 'do it', '--model'], /--model needs a value/],
  [['run', 'do it', '--model', '--json'], /--model needs a value/],
  [['run', 'do it', '--max-steps='], /--max-steps needs a value/],
  [['run', 'do it', '--detach=yes'], /--detach takes no value/],
  [['run', 'do it', '--approve', 'yes'], /--approve must be ask, auto or deny, got "yes"/],
  [['run', 'do it', '-C', '/none'], /\/none does not exist/],
  [['audit', 'tail', '-n', '0'], /--lines must be a whole number from 1/],
  [['show'], /Missing run\. Usage: agent show run/],
  [['tools'], /needs one more word: agent tools list, agent tools invoke/],
  [['policies', 'chek'], /Unknown command "policies chek"/],
  [['--json', 'list'], /Options come after the command: agent list --json/],
];
for (const [line, message] of refused) {
  test(`agent ${line.join(' ')} is refused`, async () => {
    await assert.rejects(
      parse(line),
      (error) => error instanceof CliError && error.exitCode === 2 && message.test(error.message),
    );
  });
}

test('every command has a summary, and an example that parses as itself', async () => {
  for (const entry of commands) {
    const command = await loadCommand(entry);
    const words = [...command.example.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)]
      .map(([, single, double, bare]) => single ?? double ?? bare ?? '')
      .filter((word) => !/^[A-Z_]+=/.test(word));
    assert.equal(words[0], 'agent', command.name);
    const chosen = chooseCommand(words.slice(1));
    assert.equal(chosen.entry, entry);
    // What its values name need not be here.
    const options = Object.fromEntries(
      Object.entries(command.options ?? {}).map(([name, option]) => [
        name,
        { ...option, parse: undefined },
      ]),
    );
    parseInvocation({ ...command, options }, chosen.rest);
    assert.notEqual(command.summary, '');
  }
});

for (const [typed, known, expected] of [
  ['aprove', ['approve', 'attach'], ['approve']],
  ['brave-otter', ['brave-otter-4f2a', 'calm-owl-0001'], ['brave-otter-4f2a']],
  ['brave-toter-4f2a', ['brave-otter-4f2a', 'calm-owl-0001'], ['brave-otter-4f2a']],
  ['zzz', ['list', 'show'], []],
] as const) {
  test(`nearest to ${typed}: ${expected.join() || 'none'}`, () => {
    assert.deepEqual(findNearest(typed, known, 3), expected);
  });
}
