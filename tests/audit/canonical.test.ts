import assert from 'node:assert/strict';
import { test } from 'node:test';

import { assert as check, jsonValue, property } from 'fast-check';

import { isCanonical, toCanonical } from '../../audit/record/canonical.ts';

for (const [value, text] of [
  [
    { b: 1, a: { d: [1, { z: 0, y: 0 }], c: null } },
    '{"a":{"c":null,"d":[1,{"y":0,"z":0}]},"b":1}',
  ],
  [{ a: undefined, b: [undefined] }, '{"b":[null]}'],
  [{ '10': 1, '9': 2, a: 3 }, '{"10":1,"9":2,"a":3}'],
  [{ at: new Date(0) }, '{"at":"1970-01-01T00:00:00.000Z"}'],
  ['\u2028\ud800"', '"\u2028\\ud800\\""'],
] as const) {
  test(`canonical form ${text}`, () => assert.equal(toCanonical(value), text));
}

test('what has no JSON form is refused', () => {
  assert.throws(() => toCanonical(undefined), TypeError);
  assert.throws(() => toCanonical({ big: 1n }), TypeError);
});

test('canonical text says the same as the value, whatever the order of its keys', () => {
  check(
    property(jsonValue(), (value) => {
      const text = toCanonical(value);
      const parsed: unknown = JSON.parse(text);
      assert.deepEqual(parsed, JSON.parse(JSON.stringify(value)));
      assert.equal(toCanonical(parsed), text);
      assert.ok(isCanonical(text, parsed));
    }),
    { numRuns: 300 },
  );
});

for (const text of [
  '{"b":1,"a":2}',
  '{"a": 1}',
  '{"a":1,"a":1}',
  '{"a":1.0}',
  '{"a":"\\u0041"}',
  '{"9":1,"10":1}',
]) {
  test(`${text} is not canonical`, () => assert.equal(isCanonical(text, JSON.parse(text)), false));
}
