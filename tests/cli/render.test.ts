import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderAge, renderCount } from '../../cli/render/render.ts';

for (const [ms, text] of [
  [0, '0s'],
  [-5, '0s'],
  [1_499, '1s'],
  [59_600, '1m'],
  [192_000, '3m 12s'],
  [3_600_000, '1h'],
  [7_260_000, '2h 1m'],
  [90_061_000, '1d 1h'],
  [Number.NaN, '?'],
] as const) {
  test(`${ms} ms is ${text}`, () => assert.equal(renderAge(ms), text));
}

for (const [count, text] of [
  [0, '0'],
  [999, '999'],
  [1_000, '1.0k'],
  [12_345, '12.3k'],
  [999_949, '999.9k'],
  [999_950, '1.0M'],
  [3_000_000, '3.0M'],
] as const) {
  test(`${count} is ${text}`, () => assert.equal(renderCount(count), text));
}
