/** Texts made of the patterns' own pieces: beginnings without an end, near misses, nested quotes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { injectionPatterns } from '../../policies/untrusted/patterns.ts';
import { secretFormats } from '../../policies/secrets/formats.ts';
import { findSlow } from '../hostile/run.ts';
import type { HostileText, Task } from '../hostile/run.ts';
import { readCases } from './cases.ts';
import { noise } from './secrets.ts';

const megabyte = 1_000_000;
const toTexts = (
  task: Task,
  pieces: readonly string[],
  length = 10 * megabyte,
): readonly HostileText[] =>
  [...new Set(pieces)].filter((piece) => piece !== '').map((piece) => ({ task, piece, length }));

const secretPieces = [
  'eyJ',
  'eyJhbGciOi.',
  'eyJaaaaaaaaaaaaaaaaa.eyJ',
  'eyJ.',
  'eyJaaaaaaaaaaaaaaaaa...',
  '-----BEGIN PRIVATE KEY-----',
  '-----BEGIN ',
  'PRIVATE KEY',
  '\\',
  '\\\\n',
  `-----BEGIN RSA PRIVATE KEY-----\n${'A'.repeat(39)}\n`,
  'key',
  'key=',
  'key = ',
  'password="',
  '[secret:',
  '--key  ',
  'key="aaaaaaaa',
  'token=key=',
  'authorization: Bearer ',
  '://',
  '://:',
  '://a:b',
  '://hooks.slack.com/services/',
  'xapp-1-A',
  `r8_${noise(37)}`,
  'sk-ant-',
  'a',
  'ab',
  'aB3',
  ' ',
  '\n',
  '"',
  'four words with ',
];

test('ten megabytes of any beginning of a secret are gone through once', async () => {
  assert.equal(await findSlow(toTexts('redact', secretPieces)), undefined);
});

test('and so they are in pieces', async () => {
  assert.equal(await findSlow(toTexts('stream', secretPieces, megabyte)), undefined);
});

test('one secret after another, cut short, and hardly begun', async () => {
  const starts = secretFormats.flatMap(({ starts: all, pattern }) => [
    ...all,
    ...all.map((start) => `${start}${noise(60)}`),
    pattern.source.slice(0, 14),
  ]);
  const pieces = starts.flatMap((start) => [start, `${start}\n`]);
  assert.equal(await findSlow(toTexts('redact', pieces, megabyte / 10)), undefined);
});

test('a secret of ten megabytes is no reason to fail', async () => {
  const pieces = ['sk-ant-', 'pypi-AgE', 'whsec_', 'eyJ'].map(
    (start) => start + 'a'.repeat(9 * megabyte),
  );
  assert.equal(await findSlow(toTexts('redact', pieces)), undefined);
});

test('ten megabytes that try to give orders, and do not come to it, are gone through once', async () => {
  const pieces = ['<!-- ai ', 'note to ai ', 'a\u200b'];
  assert.equal(await findSlow(toTexts('inject', pieces)), undefined);
});

test('pieces of every attempt, again and again', async () => {
  const texts = readCases<{ text: string }>('injection').map(({ text }) => text);
  const pieces = [
    ...texts,
    ...texts.map((text) => text.slice(0, text.length / 2)),
    ...texts.map((text) => text.slice(0, 12)),
    ...injectionPatterns.flatMap(({ needs }) => needs.map((word) => `${word} `)),
    '![',
    '![](http://',
    '![](http://x?a',
    '\u202a1',
    '\u{E0041}',
    '\u{1F3F4}\u{E0041}',
    'ﷺ',
    '## system\n',
    '\n\nHuman: a',
    '</result ',
    '[//]: # (ai ',
    ' \n#> ',
    'ignore all the ',
    'ignore everything you you ',
    'as an ai agent reading ',
    'игнорируй все ',
    ' ',
    '\n',
  ];
  assert.equal(await findSlow(toTexts('inject', pieces, megabyte / 50)), undefined);
});

test('what cleans, frames, counts and reads goes through ten megabytes once', async () => {
  const escapes = [
    '\u001b]',
    '\u001b[',
    '\u001b[0',
    '\u001b',
    '\u009d',
    '\u001b ',
    '\r\n',
    ' ',
    'a',
  ];
  const answers = ['```', '``` ', '```json ', '{', '{"a":', '[', '"', '\\"', ' '];
  const lines = ['+it.skip(', '-expect( ', '@@ ', '+++ b/', 'diff --git ', '+ \t', '-assert', '\n'];
  const texts = [
    ...toTexts('clean', escapes),
    ...toTexts('frame', ['\n', '<', '</result boundary="a">\n', '<a boundary="a">', ' ', 'a']),
    ...toTexts('answer', answers),
    ...toTexts('diff', lines),
    ...toTexts('placeholders', ['[secret:', '[secret:a', '[secret:a]']),
    ...toTexts('glob', ['a', 'ab', 'aab'], megabyte / 10),
    ...toTexts(
      'yaml',
      ['a: ', '- ', '[', '{a: ', '"', '&a ', '*a ', '# ', '? ', '|\n ', "'"],
      65_536,
    ),
  ];
  assert.equal(await findSlow(texts), undefined);
});
