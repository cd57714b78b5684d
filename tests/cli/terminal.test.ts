import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { createKeyboard } from '../../cli/terminal/keyboard.ts';
import { createKeyReader } from '../../cli/terminal/keys.ts';
import { askLine, parseReply } from '../../cli/terminal/prompt.ts';
import { createScreen } from '../../cli/render/screen.ts';
import { createStyle } from '../../cli/render/style.ts';
import { fitLine, wrapWords } from '../../cli/render/width.ts';

for (const [text, expected] of [
  ['y', { answer: 'approve' }],
  ['Yes', { answer: 'approve' }],
  [' y  looks fine ', { answer: 'approve', reason: 'looks fine' }],
  ['n', { answer: 'deny' }],
  ['no, not on main', { answer: 'deny', reason: 'not on main' }],
  ['n not on main', { answer: 'deny', reason: 'not on main' }],
  ['a', { answer: 'always' }],
  ['Always', { answer: 'always' }],
  ['e', { answer: 'edit' }],
  ['edit for the record', { answer: 'edit', reason: 'for the record' }],
  ['y⏎and more', undefined],
  ['approve', undefined],
  ['everything', undefined],
  ['', undefined],
  ['nothing', undefined],
  ['yep', undefined],
  ['ok', undefined],
] as const) {
  test(`the reply ${JSON.stringify(text)}`, () => assert.deepEqual(parseReply(text), expected));
}

for (const [line, columns, expected] of [
  ['short', 10, 'short'],
  ['exactly ten', 11, 'exactly ten'],
  ['cut in the middle', 8, 'cut in …'],
  ['世界世界', 8, '世界世界'],
  ['世界世界', 7, '世界世…'],
  ['世界世界', 6, '世界…'],
  ['✅ ⭐ ❌ ⏳', 11, '✅ ⭐ ❌ ⏳'],
  ['✅ ⭐ ❌ ⏳', 10, '✅ ⭐ ❌ …'],
  ['🇩🇪🇫🇷🇯🇵', 5, '🇩🇪🇫🇷…'],
  ['👩‍👩‍👧 family', 4, '👩‍👩‍👧 …'],
  ['\u001b[31mred text\u001b[39m', 4, '\u001b[31mred…\u001b[0m'],
  ['\u001b[31mred\u001b[39m', 3, '\u001b[31mred\u001b[39m'],
] as const) {
  test(`${JSON.stringify(line)} in ${columns} columns`, () => {
    assert.equal(fitLine(line, columns), expected);
  });
}

for (const [line, columns, expected] of [
  ['short', 10, ['short']],
  ['one two three', 8, ['one two', '  three']],
  ['  one two three', 9, ['  one two', '    three']],
  ['see /a/very/long/path now', 10, ['see', '  /a/very/long/path', '  now']],
  ['✅ ✅ ✅ ✅', 5, ['✅ ✅', '  ✅', '  ✅']],
  ['\u001b[31mred red red\u001b[39m', 7, ['\u001b[31mred red', '  red\u001b[39m']],
  ['', 5, ['']],
] as const) {
  test(`${JSON.stringify(line)} broken at spaces in ${columns} columns`, () => {
    assert.deepEqual(wrapWords(line, columns), expected);
  });
}

test('the screen draws its lines anew in place, and what is written scrolls above them', () => {
  const written: string[] = [];
  const screen = createScreen({
    columns: 20,
    rows: 4,
    write: (text: string | Uint8Array) => {
      written.push(String(text));
      return true;
    },
  });
  screen.draw(['one', 'two']);
  screen.draw(['one', 'two']);
  screen.draw(['one', 'a line that is far too long']);
  screen.write(['stays']);
  screen.draw(['1', '2', '3', '4', '5']);
  screen.clear();
  assert.deepEqual(written, [
    'one\ntwo\n',
    '\u001b[2A\u001b[0Jone\na line that is far…\n',
    '\u001b[2A\u001b[0Jstays\none\na line that is far…\n',
    '\u001b[2A\u001b[0J3\n4\n5\n',
    '\u001b[3A\u001b[0J',
  ]);
});

function openStreams() {
  const input = new PassThrough();
  const output = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY: true, columns: 80 });
  const keyboard = createKeyboard({ input, output, escapes: true });
  return { input, output, keyboard, written: (): string => String(output.read() ?? '') };
}

test('what happens meanwhile is written above a question, and what was typed stays', async () => {
  const { input, output, keyboard, written } = openStreams();
  const asking = askLine(keyboard, 'Allow? ', new AbortController().signal);
  await setTimeout(20);
  input.write('ye');
  await setTimeout(20);
  assert.match(written(), /Allow\? .*ye$/s);
  asking.interrupt(() => output.write('it happened\n'));
  const shown = written();
  // The question is removed first.
  assert.ok(shown.includes('\u001b[0Jit happened\n'), JSON.stringify(shown));
  assert.match(shown, /it happened\n.*Allow\? ye/s);
  input.write('s\r');
  assert.deepEqual(await asking.typed, { kind: 'line', text: 'yes' });
  asking.interrupt(() => output.write('later\n'));
  assert.match(written(), /later\n$/);
  await keyboard.close();
});

test('somebody else’s answer ends a question', async () => {
  const { keyboard } = openStreams();
  const stop = new AbortController();
  const { typed } = askLine(keyboard, 'Allow? ', stop.signal);
  stop.abort();
  assert.equal(await typed, undefined);
  await keyboard.close();
});

test('reports of the terminal and marks of a paste are no part of what was typed', () => {
  const read = createKeyReader();
  assert.deepEqual(read('y\u001b[12;'), { typed: 'y', reports: 0 });
  assert.deepEqual(read('40Rn'), { typed: 'n', reports: 1 });
  assert.deepEqual(read('\u001b[200~one\r\ntwo\u0003\u001b[20'), { typed: 'one⏎two', reports: 0 });
  assert.deepEqual(read('1~\r'), { typed: '\r', reports: 0 });
});

test('colours only on a terminal that wants them', () => {
  assert.equal(createStyle({ isTTY: true }, {}).red('x'), '\u001b[31mx\u001b[39m');
  assert.equal(createStyle({ isTTY: true }, { NO_COLOR: '1' }).red('x'), 'x');
  assert.equal(createStyle({ isTTY: true }, { TERM: 'dumb' }).red('x'), 'x');
  assert.equal(createStyle({}, {}).red('x'), 'x');
});
