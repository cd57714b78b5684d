import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, readFile, readdir, stat, symlink, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';

import { ChainError, ChainLockedError, openChain, verifyChain } from '../../audit/record/chain.ts';
import { hashOf } from '../../audit/record/blobs.ts';
import { createFolder, readAll } from './folder.ts';

const appender = join(import.meta.dirname, 'appender.ts');
const toHashes = async (file: string) => (await readAll(file)).map(({ hash }) => hash);

test('a chain goes on where it was closed, in private files', async (t) => {
  const folder = join(await createFolder(t), 'deep', 'er');
  const file = join(folder, 'chain.jsonl');
  const first = await openChain(file, 'test');
  const heads = await first.append([{ kind: 'a', seq: 99, hash: 'mine' }, { kind: 'b' }]);
  await first.close();
  const second = await openChain(file, 'test');
  assert.deepEqual(second.head, heads[1]);
  const more = await Promise.all([
    second.append([{ kind: 'c' }]),
    second.append([]),
    second.append([{ kind: 'd' }]),
  ]);
  await second.close();

  assert.deepEqual(
    await toHashes(file),
    [...heads, ...more.flat()].map(({ hash }) => hash),
  );
  assert.deepEqual(await verifyChain(file, 'test'), { ok: true, records: 4, head: second.head });
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
  await assert.rejects(second.append([{ kind: 'e' }]), /closed/);
  assert.deepEqual(await readdir(folder), ['chain.jsonl']);
});

test('a record that cannot be written leaves the chain as it was', async (t) => {
  const file = join(await createFolder(t), 'chain.jsonl');
  const chain = await openChain(file, 'test');
  await assert.rejects(chain.append([{ kind: 'a' }, { kind: 'b', big: 1n }]), TypeError);
  await chain.append([{ kind: 'c' }]);
  await chain.close();
  assert.deepEqual(await verifyChain(file, 'test'), { ok: true, records: 1, head: chain.head });
});

test('lines longer than a read and many in one read verify alike', async (t) => {
  const file = join(await createFolder(t), 'chain.jsonl');
  const chain = await openChain(file, 'test');
  await chain.append([
    { text: 'é'.repeat(1_700_000) },
    ...Array.from({ length: 5000 }, (_, n) => ({ n })),
    { text: 'y'.repeat(3_000_000) },
  ]);
  await chain.close();
  assert.deepEqual(await verifyChain(file, 'test'), { ok: true, records: 5002, head: chain.head });
});

test('text with line separators of its own is read back, a line cut off is not', async (t) => {
  const file = join(await createFolder(t), 'chain.jsonl');
  const text = 'a\nb\r\nc\u2028d\u2029e';
  const chain = await openChain(file, 'test');
  await chain.append([{ text }, { text: 'last' }]);
  await chain.close();
  await truncate(file, (await stat(file)).size - 1);
  assert.deepEqual(
    (await readAll(file)).map((record) => record['text']),
    [text],
  );
});

test('a missing file does not verify', async (t) => {
  const found = await verifyChain(join(await createFolder(t), 'none.jsonl'), 'test');
  assert.equal(found.ok, false);
});

for (const [what, damage, kept] of [
  ['cut in mid-line', (file: string, size: number) => truncate(file, size - 10), 1],
  ['cut before its newline', (file: string, size: number) => truncate(file, size - 1), 1],
  ['followed by zeros of a lost write', (file: string) => appendFile(file, Buffer.alloc(512)), 2],
  ['followed by half a line', (file: string) => appendFile(file, '{"kind":"ev'), 2],
  ['followed by a whole line of rubbish', (file: string) => appendFile(file, '{"kind":\n'), 2],
] as const) {
  test(`a tail ${what} is cut, kept aside and recorded`, async (t) => {
    const folder = await createFolder(t);
    const file = join(folder, 'chain.jsonl');
    const before = await openChain(file, 'test');
    const heads = await before.append([
      { kind: 'event', n: 1 },
      { kind: 'event', n: 2 },
    ]);
    await before.close();
    const lines = (await readFile(file, 'utf8')).split('\n');
    await damage(file, (await stat(file)).size);
    const damaged = await readFile(file);
    const tail = damaged.subarray(Buffer.byteLength(`${lines.slice(0, kept).join('\n')}\n`));
    const found = await verifyChain(file, 'test');
    assert.ok(!found.ok && found.line === kept + 1);

    const after = await openChain(file, 'test');
    await after.append([{ kind: 'event', n: 3 }]);
    await after.close();

    const records = await readAll(file);
    assert.equal(records.length, kept + 2);
    assert.equal(records[kept - 1]?.hash, heads[kept - 1]?.hash);
    assert.equal(records[kept]?.['kind'], 'repair');
    assert.equal(records[kept]?.['bytes'], tail.length);
    assert.equal(records[kept]?.['sha256'], hashOf(tail));
    assert.deepEqual(await readFile(`${file}.torn-${hashOf(tail).slice(0, 8)}`), tail);
    assert.equal((await verifyChain(file, 'test')).ok, true);
  });
}

test('a file cut shorter under its writer is not continued', async (t) => {
  const file = join(await createFolder(t), 'chain.jsonl');
  const chain = await openChain(file, 'test');
  await chain.append([{ n: 1 }, { n: 2 }]);
  await truncate(file, 20);
  await assert.rejects(chain.append([{ n: 3 }]), ChainError);
  await chain.close();
});

test('only one writes a chain, and the lock of a dead process is taken over', async (t) => {
  const file = join(await createFolder(t), 'chain.jsonl');
  const chain = await openChain(file, 'test');
  await assert.rejects(
    openChain(file, 'test'),
    (error) =>
      error instanceof ChainLockedError &&
      error.pid === process.pid &&
      error.message.includes(String(process.pid)),
  );
  await chain.close();

  // This pid runs, but started at another time: the number was given away again.
  await symlink(`${process.pid} 1`, `${file}.lock`);
  const again = await openChain(file, 'test');
  await again.close();
});

test('a writer killed at any moment loses nothing it acknowledged', async (t) => {
  const folder = await createFolder(t);
  const file = join(folder, 'chain.jsonl');
  const acknowledged: string[] = [];
  for (let round = 1; round <= 10; round++) {
    const child = spawn(process.execPath, [appender, 'chain', file, String(round), '100000'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    let seen = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged.push(line.split(' ')[1] ?? '');
      if (++seen === round * 7) child.kill('SIGKILL');
    }
    assert.deepEqual(await ended, [null, 'SIGKILL']);
  }
  const chain = await openChain(file, 'test');
  await chain.close();
  assert.equal((await verifyChain(file, 'test')).ok, true);
  const kept = new Set(await toHashes(file));
  assert.ok(acknowledged.length >= 385);
  assert.deepEqual(
    acknowledged.filter((hash) => !kept.has(hash)),
    [],
  );
});
