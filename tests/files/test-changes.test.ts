import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { findWeakened } from '../../activities/files/test-changes.ts';

const toDiff = (path: string, lines: readonly string[], head = ''): string =>
  [`diff --git a/${path} b/${path}`, ...(head === '' ? [] : [head]), `--- a/${path}`]
    .concat([
      head.startsWith('deleted') ? '+++ /dev/null' : `+++ b/${path}`,
      '@@ -1 +1 @@',
      ...lines,
    ])
    .join('\n');

suite('a weakened test is found', () => {
  for (const [name, diff, what] of [
    ['deleted', toDiff('a.test.ts', ['-assert.ok(1)'], 'deleted file mode 100644'), /was deleted/],
    ['skipped', toDiff('tests/a.js', ["-it('x', f)", "+it.skip('x', f)"]), /skipped/],
    ['left alone', toDiff('a.spec.ts', ["-test('x', f)", "+test.only('x', f)"]), /run alone/],
    [
      'with less asserted',
      toDiff('test_a.py', ['-    assert x == 1', '+    pass']),
      /lost 1 assertion$/,
    ],
    ['with less expected', toDiff('a.test.js', ['-  expect(x).toBe(1)']), /lost 1 assertion/],
    ['with a case less', toDiff('a_test.go', ['-func TestA(t *testing.T) {']), /lost 1 test/],
    ['marked', toDiff('tests/test_b.py', ['+@pytest.mark.skip']), /skipped/],
    ['ignored', toDiff('tests/a.rs', ['+#[ignore]']), /skipped/],
    [
      'no longer started',
      toDiff('package.json', ['-    "test": "node --test",', '+    "test": "true",']),
      /had its script changed: "test": "node --test"/,
    ],
  ] as const)
    test(name, () => {
      const found = findWeakened(diff);
      assert.equal(found.length, 1, JSON.stringify(found));
      assert.match(found[0]?.what ?? '', what);
    });
});

for (const [name, diff] of [
  [
    'a test that asserts more',
    toDiff('a.test.ts', ['-assert.ok(a)', '+assert.equal(a, 1)', '+assert.ok(b)']),
  ],
  ['code that is no test', toDiff('src/a.ts', ['-assert.ok(a)', '-expect(b)'])],
  [
    'a test that moved',
    'diff --git a/a.test.ts b/b.test.ts\nsimilarity index 100%\nrename from a.test.ts\nrename to b.test.ts\n',
  ],
  ['another script', toDiff('package.json', ['-  "start": "a"', '+  "start": "b"'])],
] as const)
  test(`${name} is none`, () => assert.deepEqual(findWeakened(diff), []));
