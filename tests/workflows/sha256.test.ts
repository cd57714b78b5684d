import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { assert as assertAll, property, string } from 'fast-check';
import { sha256 } from '../../workflows/sha256.ts';

const check = (text: string): void =>
  assert.equal(sha256(text), createHash('sha256').update(text).digest('hex'));

test('the digest is that of node:crypto, at every length of a block and for every text', () => {
  for (let length = 0; length <= 200; length++) check('a'.repeat(length));
  assertAll(property(string({ unit: 'binary', maxLength: 300 }), check));
});
