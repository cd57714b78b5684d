/** Reading, writing, editing and deleting files. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  deleteFile,
  editText,
  hashFile,
  readText,
  writeText,
} from '../../activities/files/files.ts';
import { PathRefused } from '../../activities/files/walk.ts';
import { anything, makePlace } from '../sandbox/fixture.ts';

const options = { maxBytes: 1_000_000, authorize: anything };
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const refused = (code: string, words: RegExp) => (error: unknown) => {
  assert.ok(error instanceof PathRefused, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, words);
  return true;
};

test('lines are counted as people count them', (t) => {
  const { root } = makePlace(t);
  writeFileSync(join(root, 'a'), 'one\ntwo\nthree\n');
  assert.equal(readText(root, 'a', options), 'one\ntwo\nthree\n');
  const lines = { ...options, startLine: 2, endLine: 3 };
  assert.equal(readText(root, 'a', lines), '[lines 2 to 3 of 3]\ntwo\nthree');
  assert.equal(readText(root, 'a', { ...lines, endLine: 99 }), '[lines 2 to 3 of 3]\ntwo\nthree');
  assert.equal(readText(root, 'a', { ...options, endLine: 1 }), '[lines 1 to 1 of 3]\none');
  const beyond = { ...options, startLine: 4 };
  assert.throws(() => readText(root, 'a', beyond), refused('mismatch', /has 3 lines/));
  const backward = { ...options, startLine: 3, endLine: 2 };
  assert.throws(() => readText(root, 'a', backward), refused('mismatch', /3 to 2/));
});

test('what is no text file of usual size says so, without waiting', (t) => {
  const { root } = makePlace(t);
  execFileSync('mkfifo', [join(root, 'pipe')]);
  mkdirSync(join(root, 'src'));
  writeFileSync(join(root, 'binary'), Buffer.concat([Buffer.alloc(9000, 65), Buffer.from([0])]));
  writeFileSync(join(root, 'latin'), Buffer.from([0x67, 0xfc, 0x6e]));
  writeFileSync(join(root, 'huge'), '');
  truncateSync(join(root, 'huge'), 1e12);
  assert.throws(() => readText(root, 'pipe', options), refused('not-regular', /regular/));
  assert.throws(() => writeText(root, 'pipe', 'x', options), refused('not-regular', /regular/));
  assert.throws(() => readText(root, 'src', options), refused('not-regular', /list_files/));
  assert.throws(() => writeText(root, 'src', 'x', options), refused('not-regular', /folder/));
  assert.throws(() => writeText(root, '.', 'x', options), refused('not-regular', /folder/));
  assert.throws(() => readText(root, 'binary', options), refused('not-regular', /binary/));
  assert.throws(() => readText(root, 'huge', options), refused('too-large', /1000000000000/));
  assert.throws(() => readText(root, 'no/x', options), refused('missing', /list_files/));
  assert.equal(
    readText(root, 'latin', options),
    '[not UTF-8: undecodable bytes are shown as \uFFFD]\ng\uFFFDn',
  );
  const edit = { old: 'g', new: 'h' };
  assert.throws(() => editText(root, 'latin', edit, options), refused('mismatch', /UTF-8/));
});

test('writing makes folders, keeps permissions, and says what changed', (t) => {
  const { root } = makePlace(t);
  const made = writeText(root, 'docs/guide/intro.md', '# hi\n', options);
  assert.deepEqual(made, {
    path: 'docs/guide/intro.md',
    bytes: 5,
    before: null,
    after: sha256('# hi\n'),
  });
  const file = join(root, 'docs/guide/intro.md');
  chmodSync(file, 0o755);
  const again = writeText(root, `${root}/docs/guide/intro.md`, 'new', options);
  assert.equal(again.before, sha256('# hi\n'));
  assert.equal(statSync(file).mode & 0o777, 0o755);
  assert.deepEqual(readdirSync(join(root, 'docs/guide')), ['intro.md']);
  const long = `${'ä'.repeat(120)}.md`;
  assert.equal(writeText(root, long, 'x', options).path, long);
  const small = { ...options, maxBytes: 3 };
  assert.throws(() => writeText(root, 'x', '4444', small), refused('too-large', /4 bytes/));
  assert.equal(existsSync(join(root, 'x')), false);
});

test('a file larger than what may be read can be replaced and deleted', (t) => {
  const { root } = makePlace(t);
  const large = 'x'.repeat(5_000);
  writeFileSync(join(root, 'log'), large);
  const small = { ...options, maxBytes: 1_000 };
  assert.equal(writeText(root, 'log', 'short', small).before, sha256(large));
  writeFileSync(join(root, 'log'), large);
  assert.equal(deleteFile(root, 'log', small).before, sha256(large));
  assert.equal(hashFile(root, 'log'), null);
});

test('writing does not reach the other name of a hard link', (t) => {
  const { root, out } = makePlace(t);
  writeFileSync(join(out, 'shared'), 'shared');
  linkSync(join(out, 'shared'), join(root, 'shared'));
  writeText(root, 'shared', 'mine', options);
  assert.equal(readFileSync(join(out, 'shared'), 'utf8'), 'shared');
});

test('a writer killed at any moment leaves the old or the new file, and the next write clears up', async (t) => {
  const { root } = makePlace(t);
  const size = 4_000_000;
  const module = new URL('../../activities/files/files.ts', import.meta.url).href;
  const program = `import { writeText } from ${JSON.stringify(module)};
    const options = { maxBytes: 1e9, authorize() {} };
    for (let n = 0; ; n++) {
      writeText(${JSON.stringify(root)}, 'a', 'ab'[n % 2].repeat(${size}), options);
      if (n === 0) process.stdout.write('up');
    }`;
  for (let n = 0; n < 6; n++) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    await sleep(n * 7);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const text = readFileSync(join(root, 'a'), 'utf8');
    assert.equal(text.length, size);
    assert.equal(new Set(text).size, 1);
  }
  writeText(root, 'a', 'end', options);
  assert.deepEqual(readdirSync(root), ['a']);
});

test('a deleted link leaves what it names, wherever that is', (t) => {
  const { root, out } = makePlace(t);
  writeFileSync(join(root, 'kept'), 'kept');
  writeFileSync(join(out, 'kept'), 'kept');
  symlinkSync('kept', join(root, 'inner'));
  symlinkSync(join(out, 'kept'), join(root, 'outer'));
  const judged: string[] = [];
  const authorize = (operation: string, path: string) => void judged.push(`${operation} ${path}`);
  for (const path of ['inner', 'outer']) deleteFile(root, path, { ...options, authorize });
  assert.deepEqual(judged, ['delete inner', 'delete outer']);
  assert.deepEqual(readdirSync(root), ['kept']);
  assert.equal(readFileSync(join(out, 'kept'), 'utf8'), 'kept');
  assert.throws(() => deleteFile(root, 'inner', options), refused('missing', /does not exist/));
  mkdirSync(join(root, 'folder'));
  assert.throws(() => deleteFile(root, 'folder', options), refused('not-regular', /folder/));
});

test('an edit replaces exact text, once or everywhere', (t) => {
  const { root } = makePlace(t);
  writeFileSync(join(root, 'a.ts'), 'a\nb $& c\na\n');
  const change = editText(root, 'a.ts', { old: 'b $&', new: '$1 $$' }, options);
  assert.equal(readFileSync(join(root, 'a.ts'), 'utf8'), 'a\n$1 $$ c\na\n');
  assert.equal(change.count, 1);
  assert.equal(change.after, sha256('a\n$1 $$ c\na\n'));
  const twice = { old: 'a\n', new: 'z\n' };
  assert.throws(
    () => editText(root, 'a.ts', twice, options),
    refused('mismatch', /2 times.*lines 1, 3/),
  );
  assert.equal(editText(root, 'a.ts', { ...twice, all: true }, options).count, 2);
  assert.equal(readFileSync(join(root, 'a.ts'), 'utf8'), 'z\n$1 $$ c\nz\n');
});

test('an edit that does not fit shows where it nearly does, and changes nothing', (t) => {
  const { root } = makePlace(t);
  const text = 'function first() {\n    return 1;\n}\nfunction second() {\n\treturn 2;\n}\n';
  writeFileSync(join(root, 'a.ts'), text);
  const edit = (old: string) => () => editText(root, 'a.ts', { old, new: 'x' }, options);
  assert.throws(edit('  return  1;'), refused('mismatch', /2: {5}return 1;/));
  assert.throws(edit('function secnod() {'), refused('mismatch', /4: function second/));
  assert.throws(edit('nothing like it at all'), refused('mismatch', /Read the file/));
  assert.throws(edit(''), refused('mismatch', /empty/));
  assert.throws(edit('x'), refused('mismatch', /same/));
  assert.equal(readFileSync(join(root, 'a.ts'), 'utf8'), text);
  writeFileSync(join(root, 'dos.txt'), 'one\r\ntwo\r\n');
  const dos = { old: 'one\ntwo', new: 'x' };
  assert.throws(() => editText(root, 'dos.txt', dos, options), refused('mismatch', /\\r\\n/));
});

test('an edit through a link changes what it names and leaves the link', (t) => {
  const { root } = makePlace(t);
  writeFileSync(join(root, 'real'), 'old');
  symlinkSync('real', join(root, 'alias'));
  assert.equal(editText(root, 'alias', { old: 'old', new: 'new' }, options).path, 'real');
  assert.equal(readlinkSync(join(root, 'alias')), 'real');
  assert.equal(readFileSync(join(root, 'real'), 'utf8'), 'new');
});
