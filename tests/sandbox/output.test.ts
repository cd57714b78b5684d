/** What is kept of outputs, of any size and cut anywhere. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { array, assert as check, integer, property } from 'fast-check';
import { OutputCapture, capText } from '../../activities/sandbox/output.ts';
import { makePlace } from './fixture.ts';

test('short texts stay as they are, long ones are cut in the middle with the size of the gap', () => {
  assert.equal(capText('abcdef', 6), 'abcdef');
  assert.equal(capText('abcdefg', 4), 'ab\n[… 3 characters omitted …]\nfg');
  assert.match(capText('x'.repeat(10), 4, 'sha256:1'), /read_blob sha256:1 has all/);
});

test('head, tail and file are right however the output is cut into chunks', (t) => {
  const { state } = makePlace(t);
  let count = 0;
  check(
    property(
      array(integer({ min: 1, max: 40 }), { maxLength: 12 }),
      integer({ min: 0, max: 80 }),
      (sizes, most) => {
        const file = join(state, String((count += 1)));
        const capture = new OutputCapture(most, file, 20);
        const reused = Buffer.alloc(40);
        let whole = '';
        for (const [index, size] of sizes.entries()) {
          const text = String.fromCharCode(97 + index).repeat(size);
          whole += text;
          reused.write(text);
          capture.add(reused.subarray(0, size));
          reused.fill(33);
        }
        const { head, tail, bytes, whole: kept } = capture.end();
        assert.equal(bytes, whole.length);
        assert.equal(head, whole.slice(0, 10));
        assert.equal(tail, whole.slice(10).slice(-10));
        assert.equal(kept !== undefined, whole.length > 20 && most > 0);
        if (kept === undefined) return;
        const expected = whole.slice(0, most);
        assert.equal(readFileSync(kept.file, 'utf8'), expected);
        assert.equal(kept.bytes, expected.length);
        assert.equal(kept.sha256, createHash('sha256').update(expected).digest('hex'));
      },
    ),
  );
});

test('what is not wanted after all leaves no file', (t) => {
  const { state } = makePlace(t);
  const file = join(state, 'spill');
  const capture = new OutputCapture(1000, file, 4);
  capture.add(Buffer.from('longer than four'));
  assert.equal(existsSync(file), true);
  capture.discard();
  assert.equal(existsSync(file), false);
});
