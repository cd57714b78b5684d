/** Where paths lead, and that none leads out. */
import assert from 'node:assert/strict';
import {
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readText, writeText } from '../../activities/files/files.ts';
import { PathRefused, walk } from '../../activities/files/walk.ts';
import { anything, makePlace } from '../sandbox/fixture.ts';

const options = { maxBytes: 1_000_000, authorize: anything };
const count = (): number => readdirSync('/proc/self/fd').length;
const refusedAs = (code: string) => (error: unknown) =>
  error instanceof PathRefused && error.code === code;

test('paths that lead out are refused and nothing of outside is read or made', (t) => {
  const { root, out } = makePlace(t);
  writeFileSync(join(out, 'secret.txt'), 'CANARY');
  mkdirSync(join(root, 'src'));
  mkdirSync(`${root}-evil`);
  writeFileSync(`${root}-evil/secret.txt`, 'CANARY');
  symlinkSync(join(out, 'secret.txt'), join(root, 'link.txt'));
  symlinkSync(out, join(root, 'd'));
  symlinkSync('../out', join(root, 'src/up'));
  symlinkSync('../../out', join(root, 'src/upper'));
  symlinkSync(join(out, 'new'), join(root, 'dangling'));
  symlinkSync('/dev/zero', join(root, 'zero'));
  const paths = [
    '../out/secret.txt',
    `${out}/secret.txt`,
    'src/../../out/secret.txt',
    '/etc/passwd',
    `${root}-evil/secret.txt`,
    'link.txt',
    'd/secret.txt',
    'src/upper/secret.txt',
    'zero',
    '/proc/self/environ',
    `/proc/self/root${out}/secret.txt`,
    '..',
    `${root}/../out/secret.txt`,
  ];
  for (const path of paths) {
    assert.throws(() => readText(root, path, options), refusedAs('outside'), path);
    assert.throws(() => writeText(root, path, 'x', options), refusedAs('outside'), path);
  }
  assert.throws(() => readText(root, 'src/up/secret.txt', options), refusedAs('missing'));
  assert.throws(() => writeText(root, 'dangling', 'x', options), refusedAs('outside'));
  assert.throws(() => writeText(root, 'd/w', 'x', options), refusedAs('outside'));
  assert.deepEqual(readdirSync(out), ['secret.txt']);
  assert.equal(readFileSync(join(out, 'secret.txt'), 'utf8'), 'CANARY');
});

test('what is no path is refused as such', (t) => {
  const { root } = makePlace(t);
  const paths = ['a\0.png', '\ud800', 'x'.repeat(256), `${'x/'.repeat(2100)}y`, ['a'], undefined];
  for (const path of paths)
    assert.throws(
      () => readText(root, path as string, options),
      refusedAs('invalid'),
      String(path),
    );
  assert.throws(() => readText(root, 'file:///etc/passwd', options), refusedAs('missing'));
  assert.throws(() => readText(root, '%2e%2e/out', options), refusedAs('missing'));
});

test('links inside are followed to what they name, and the final path is judged', (t) => {
  const { root } = makePlace(t);
  mkdirSync(join(root, 'src/deep'), { recursive: true });
  writeFileSync(join(root, 'src/a.ts'), 'text of a');
  symlinkSync('src/a.ts', join(root, 'alias.ts'));
  symlinkSync(join(root, 'src'), join(root, 'absolute'));
  symlinkSync('../a.ts', join(root, 'src/deep/up.ts'));
  const judged: string[] = [];
  const authorize = (_: string, path: string) => void judged.push(path);
  const paths = [
    'alias.ts',
    'absolute/a.ts',
    'absolute/deep/up.ts',
    `${root}/src/a.ts`,
    './src//a.ts',
  ];
  for (const path of paths)
    assert.equal(readText(root, path, { ...options, authorize }), 'text of a', path);
  assert.deepEqual(
    judged,
    paths.map(() => 'src/a.ts'),
  );
  assert.equal(
    walk(root, '.', false, ({ path }) => path),
    '.',
  );
  assert.equal(
    walk(root, 'absolute', false, ({ path }) => path),
    'src',
  );
});

test('links in a circle and long chains end in an error', (t) => {
  const { root } = makePlace(t);
  symlinkSync('b', join(root, 'a'));
  symlinkSync('a', join(root, 'b'));
  assert.throws(() => readText(root, 'a', options), refusedAs('too-many-links'));
  writeFileSync(join(root, 'l0'), 'end');
  for (let n = 1; n <= 41; n++) symlinkSync(`l${n - 1}`, join(root, `l${n}`));
  assert.equal(readText(root, 'l40', options), 'end');
  assert.throws(() => readText(root, 'l41', options), refusedAs('too-many-links'));
});

test('a refusal comes before folders are made', (t) => {
  const { root } = makePlace(t);
  mkdirSync(join(root, '.git'));
  symlinkSync('.git', join(root, 'innocent'));
  const judged: string[] = [];
  const authorize = (_: string, path: string) => {
    judged.push(path);
    throw new Error('refused');
  };
  assert.throws(
    () => writeText(root, 'innocent/hooks/x', 'x', { ...options, authorize }),
    /refused/,
  );
  assert.deepEqual(judged, ['.git/hooks/x']);
  assert.deepEqual(readdirSync(join(root, '.git')), []);
});

test('every descriptor is closed, whatever happens', (t) => {
  const { root, out } = makePlace(t);
  symlinkSync(out, join(root, 'd'));
  const before = count();
  for (let n = 0; n < 50; n++) {
    writeText(root, 'a/b/c/d.txt', 'x', options);
    readText(root, 'a/b/c/d.txt', options);
    assert.throws(() => readText(root, 'd/x', options));
    assert.throws(() => readText(root, 'a/b/none', options));
    assert.throws(() => readText(root, 'a/b/c/d.txt/e', options), refusedAs('not-regular'));
  }
  assert.equal(count(), before);
});

test('a workspace that was moved away is named', (t) => {
  const { root } = makePlace(t);
  renameSync(root, `${root}-moved`);
  assert.throws(
    () => readText(root, 'a', options),
    (error: unknown) => error instanceof PathRefused && error.message.includes(root),
  );
});
