import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isWaiver } from '../../activities/waivers.ts';

const goal = 'Add a parser for dates. No docs, please.';
const said = [
  { text: 'Tests aren’t needed for this, I’ll write them myself.' },
  { text: 'Use tabs, please.' },
  { text: 'Die Doku kannst du weglassen.' },
  { text: '测试不需要写' },
  { text: 'yes', asked: 'May I leave the changelog out?' },
  { text: 'sure', asked: 'Shall I go on?' },
];

for (const [quote, expected] of [
  ['Tests aren’t needed', true],
  ["tests aren't needed for this", true],
  ['"I’ll write them myself."', true],
  ['No docs, please', true],
  ['Doku kannst du weglassen', true],
  ['测试不需要', true],
  ['Yes.', true],
  // Said by nobody.
  ['tests are not needed', false],
  ['The person said that tests can be skipped', false],
  ['skip', false],
  // Said, but about something else than what is not wanted.
  ['Use tabs, please', false],
  ['Add a parser for dates', false],
  ['sure', false],
  // Of the question, which a model wrote.
  ['May I leave the changelog out?', false],
  // Pieces of words, and next to nothing.
  ['arent', false],
  ['no', false],
  ['needed', false],
  ['', false],
  ['.', false],
] as const)
  test(`“${quote}” ${expected ? 'waives' : 'waives nothing'}`, () =>
    assert.equal(isWaiver(quote, said, goal), expected));
