import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { createDotenvReader } from '../../activities/files/dotenv.ts';
import { editText, readText, writeText } from '../../activities/files/files.ts';
import { OutputCapture } from '../../activities/sandbox/output.ts';
import { formRedactor } from '../../policies/secrets/redaction.ts';
import { noise, privateKey, samples } from '../policies/secrets.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'agent-placeholders-')));
after(() => rmSync(root, { recursive: true, force: true }));
const options = { maxBytes: 1_000_000, authorize: () => undefined };
const token = samples.find(([kind]) => kind === 'github-token')?.[1] ?? '';
const mask = (text: string): string => formRedactor.mask(text);

const write = (path: string, text: string): void => writeFileSync(join(root, path), text);
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

suite('what stands for a secret is never written', () => {
  test('a file read and written back keeps its secret', () => {
    write('a.py', `TOKEN = "${token}"\nDEBUG = 1\n`);
    const seen = readText(root, 'a.py', { ...options, mask });
    assert.equal(seen, 'TOKEN = "[secret:github-token]"\nDEBUG = 1\n');
    assert.throws(
      () => writeText(root, 'a.py', seen.replace('1', '2'), options),
      /stands for a secret/,
    );
    assert.throws(
      () => editText(root, 'a.py', { old: seen, new: 'x' }, options),
      /a\.py has a secret where you see \[secret:github-token\]/,
    );
    assert.throws(
      () =>
        editText(root, 'a.py', { old: 'DEBUG = 1', new: 'X = "[secret:github-token]"' }, options),
      /stands for a secret/,
    );
    assert.equal(editText(root, 'a.py', { old: 'DEBUG = 1', new: 'DEBUG = 2' }, options).count, 1);
    assert.equal(read('a.py'), `TOKEN = "${token}"\nDEBUG = 2\n`);
  });

  test('nor into a new file', () => {
    assert.throws(
      () => writeText(root, 'new.txt', 'a [secret:jwt]', options),
      /stands for a secret/,
    );
    assert.throws(() => read('new.txt'), { code: 'ENOENT' });
  });

  test('a document about placeholders can be changed', () => {
    write('doc.md', 'It reads `[secret:jwt]`.\n');
    writeText(root, 'doc.md', 'Now it reads `[secret:jwt]`.\n', options);
    editText(root, 'doc.md', { old: '`[secret:jwt]`.', new: '`[secret:jwt]`!' }, options);
    assert.equal(read('doc.md'), 'Now it reads `[secret:jwt]`!\n');
    assert.throws(
      () => writeText(root, 'doc.md', '[secret:jwt] [secret:jwt]', options),
      /stands for/,
    );
  });

  test('a private key read by lines shows none of them', () => {
    write('key.txt', `key\n${privateKey()}\n`);
    const seen = readText(root, 'key.txt', { ...options, mask, startLine: 4, endLine: 6 });
    assert.equal(seen, `[lines 4 to 6 of 15]\n${'[secret:private-key]\n'.repeat(3).trimEnd()}`);
  });
});

const capture = (chunks: readonly string[], most: number, shown?: number) => {
  const taking = new OutputCapture(
    most,
    join(root, `${noise(8, chunks.length + most)}.out`),
    shown,
  );
  for (const chunk of chunks) taking.add(Buffer.from(chunk));
  return taking;
};

suite('output of commands', () => {
  test('a secret on the border of two pieces is taken out of head, tail and file', () => {
    const text = `${'x'.repeat(5_000)} ${token} ${'y'.repeat(5_000)}`;
    for (const border of [4_990, 5_002, 5_020, 5_041]) {
      const captured = capture([text.slice(0, border), text.slice(border)], 100_000, 200).end();
      const { head, tail, whole, bytes, redacted } = captured;
      const all = readFileSync(whole?.file ?? '', 'utf8');
      assert.equal(all, text.replace(token, '[secret:github-token]'));
      assert.deepEqual([head, tail], ['x'.repeat(100), 'y'.repeat(100)]);
      assert.deepEqual([bytes, whole?.bytes, redacted], [all.length, all.length, 1]);
      rmSync(whole?.file ?? '');
    }
  });

  test('head and tail have no piece of a secret that their edge cuts', () => {
    for (let before = 70; before < 110; before++) {
      const text = `${'x'.repeat(before)} ${token} ${'y'.repeat(5_000 - before)} ${token} z`;
      const { head, tail, whole } = capture([text], 100_000, 200).end();
      for (const part of [head, tail]) assert.ok(!part.includes(token.slice(6, 12)), part);
      rmSync(whole?.file ?? '');
    }
  });

  test('the tail of a flood has no piece of one either', () => {
    // Cut by the tail's own edge, at the edge of what is shown, and whole.
    for (const behind of [4_176, 80, 90, 100, 10])
      for (let more = 0; more < 20; more++) {
        const taking = capture(['x '.repeat(5_000)], 1_000, 200);
        assert.ok(taking.isFull);
        const flood = Buffer.from(`${'y'.repeat(9_000)} ${token} ${'z'.repeat(behind + more)}`);
        taking.skip(1_000_000, flood.subarray(-taking.tailBytes));
        const { tail, whole } = taking.end();
        rmSync(whole?.file ?? '');
        assert.ok(!tail.includes(token.slice(6, 12)) && !tail.includes(token.slice(-6)), tail);
      }
  });

  test('bytes that are no text stay as they are', () => {
    const bytes = Buffer.from(Array.from({ length: 2_000 }, (_, at) => at % 256));
    const taking = new OutputCapture(100_000, join(root, 'bytes.out'), 20);
    taking.add(bytes);
    assert.deepEqual(readFileSync(taking.end().whole?.file ?? ''), bytes);
  });
});

test('secrets of .env files are read once for each version of the file', () => {
  write('.env', `A_TOKEN=${noise(20)}\nPORT=8080\nNAME_KEY=/a/path/x\n`);
  write('.env.local', `export B_PASSWORD="two words 123"\n`);
  const readDotenv = createDotenvReader();
  assert.deepEqual(
    readDotenv(root).map(({ name }) => name),
    ['A_TOKEN', 'B_PASSWORD'],
  );
  assert.deepEqual(readDotenv(root), []);
  write('.env', `C_TOKEN=${noise(30)}\n`);
  assert.deepEqual(
    readDotenv(root).map(({ value }) => value),
    [noise(30)],
  );
});
