import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseInvocation } from '../../cli/arguments.ts';
import { commands } from '../../cli/commands.ts';
import { CliError } from '../../cli/errors.ts';
import { findNearest } from '../../client/nearest.ts';
import { chooseCommand } from '../../cli/program.ts';

const parse = (line: readonly string[]) => {
  const { command, rest } = chooseCommand(line);
  return { name: command.name, ...parseInvocation(command, rest) };
};

const accepted: [string[], { name: string; args: string[]; flags: Record<string, unknown> }][] = [
  [['list'], { name: 'list', args: [], flags: {} }],
  [['list', '--json'], { name: 'list', args: [], flags: { json: true } }],
  [['fix the tests'], { name: 'run', args: ['fix the tests'], flags: {} }],
  [['run', 'word'], { name: 'run', args: ['word'], flags: {} }],
  [['-'], { name: 'run', args: ['-'], flags: {} }],
  [['run', '-'], { name: 'run', args: ['-'], flags: {} }],
  [['--demo', 'look around'], { name: 'run', args: ['look around'], flags: { demo: true } }],
  [
    ['run', '-C', 'x', '-mqwen', '--max-steps=5', 'do it'],
    { name: 'run', args: ['do it'], flags: { directory: 'x', model: 'qwen', 'max-steps': '5' } },
  ],
  [['policies', 'check', 'ls -la'], { name: 'policies check', args: ['ls -la'], flags: {} }],
  [['say', 'r1', '--', '--verbose'], { name: 'say', args: ['r1', '--verbose'], flags: {} }],
  [
    ['deny', 'r1', '--reason=-x is dangerous'],
    { name: 'deny', args: ['r1'], flags: { reason: '-x is dangerous' } },
  ],
  [['logs', '-f', 'r1'], { name: 'logs', args: ['r1'], flags: { follow: true } }],
  [['replay', 'a', 'b', 'c'], { name: 'replay', args: ['a', 'b', 'c'], flags: {} }],
];
for (const [line, expected] of accepted) {
  test(`agent ${line.join(' ')} is ${expected.name}`, () => {
    assert.deepEqual(parse(line), expected);
  });
}

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
  [['show'], /Missing run\. Usage: agent show run/],
  [['tools'], /needs one more word: agent tools list, agent tools invoke/],
  [['policies', 'chek'], /Unknown command "policies chek"/],
  [['--json', 'list'], /Options come after the command: agent list --json/],
];
for (const [line, message] of refused) {
  test(`agent ${line.join(' ')} is refused`, () => {
    assert.throws(
      () => parse(line),
      (error) => error instanceof CliError && error.exitCode === 2 && message.test(error.message),
    );
  });
}

test('every command has a summary, and an example that parses as itself', () => {
  for (const command of commands) {
    const words = [...command.example.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)]
      .map(([, single, double, bare]) => single ?? double ?? bare ?? '')
      .filter((word) => !/^[A-Z_]+=/.test(word));
    assert.equal(words[0], 'agent', command.name);
    const chosen = chooseCommand(words.slice(1));
    assert.equal(chosen.command.name, command.name);
    parseInvocation(chosen.command, chosen.rest);
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
