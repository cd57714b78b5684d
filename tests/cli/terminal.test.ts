import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { askLine, parseReply } from '../../cli/prompt.ts';
import { createScreen } from '../../cli/screen.ts';
import { createSpoolReader } from '../../cli/spool.ts';
import { createStyle } from '../../cli/style.ts';
import { fitLine } from '../../cli/width.ts';

for (const [text, expected] of [
  ['y', { answer: 'approve' }],
  ['Yes', { answer: 'approve' }],
  [' y  looks fine ', { answer: 'approve', reason: 'looks fine' }],
  ['n', { answer: 'deny' }],
  ['no, not on main', { answer: 'deny', reason: 'not on main' }],
  ['n not on main', { answer: 'deny', reason: 'not on main' }],
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
  ['\u001b[31mred text\u001b[39m', 4, '\u001b[31mred…\u001b[0m'],
  ['\u001b[31mred\u001b[39m', 3, '\u001b[31mred\u001b[39m'],
] as const) {
  test(`${JSON.stringify(line)} in ${columns} columns`, () => {
    assert.equal(fitLine(line, columns), expected);
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

test('what happens meanwhile is written above a question, and what was typed stays', async () => {
  const input = new PassThrough();
  const output = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY: true, columns: 80 });
  const written = (): string => String(output.read() ?? '');
  const asking = askLine('Allow? ', new AbortController().signal, { input, output });
  input.write('ye');
  await setImmediate();
  assert.match(written(), /Allow\? .*ye$/s);
  asking.interrupt(() => output.write('it happened\n'));
  const shown = written();
  // The question's line is cleared first.
  assert.ok(shown.includes('\u001b[2Kit happened\n'), JSON.stringify(shown));
  assert.match(shown, /it happened\n.*Allow\? ye/s);
  input.write('s\n');
  assert.deepEqual(await asking.typed, { kind: 'line', text: 'yes' });
  asking.interrupt(() => output.write('later\n'));
  assert.match(written(), /later\n$/);
});

test('somebody else’s answer ends a question', async () => {
  const stop = new AbortController();
  const output = new PassThrough();
  const { typed } = askLine('Allow? ', stop.signal, { input: new PassThrough(), output });
  stop.abort();
  assert.equal(await typed, undefined);
});

test('colours only on a terminal that wants them', () => {
  assert.equal(createStyle({ isTTY: true }, {}).red('x'), '\u001b[31mx\u001b[39m');
  assert.equal(createStyle({ isTTY: true }, { NO_COLOR: '1' }).red('x'), 'x');
  assert.equal(createStyle({ isTTY: true }, { TERM: 'dumb' }).red('x'), 'x');
  assert.equal(createStyle({}, {}).red('x'), 'x');
});

const line = (activity: string, attempt: number, text: string): string =>
  `${JSON.stringify({ activity, attempt, text })}\n`;

test('the text of a model call is read as it grows; a retried call starts again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'agent-spool-'));
  const file = join(folder, 'run-x.ndjson');
  const reader = createSpoolReader(file);
  assert.equal(await reader.read(), '', 'no file yet');
  await writeFile(file, line('5', 1, 'Ich prü'));
  assert.equal(await reader.read(), 'Ich prü');
  const bytes = Buffer.from(line('5', 1, 'fe'));
  await appendFile(file, bytes.subarray(0, 9));
  assert.equal(await reader.read(), 'Ich prü', 'half a line is not read');
  await appendFile(file, bytes.subarray(9));
  assert.equal(await reader.read(), 'Ich prüfe');
  await appendFile(file, `not json\n${line('5', 2, 'again')}`);
  assert.equal(await reader.read(), 'again');
  await writeFile(file, line('9', 1, 'new'));
  assert.equal(await reader.read(), 'new', 'a file begun anew');
  await reader.close();
  await rm(folder, { recursive: true });
});
