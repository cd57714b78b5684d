import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { ChainError, openChain, verifyChain } from '../../audit/record/chain.ts';
import { createFolder } from './folder.ts';

// What a chain alone cannot see: an editor who rehashes every line after the edit, and whole lines cut off the end.
// Both need a head that was kept elsewhere: the link in the next day's file, the run's history in Temporal.

const records = [1, 2, 3, 4, 5].map((n) => ({
  kind: 'event',
  n,
  text: `event ${n} é`,
  nested: { hash: 'x' },
}));

const swap = (lines: string[], a: number, b: number): string[] =>
  lines.with(a, lines[b] ?? '').with(b, lines[a] ?? '');

const edits: readonly [string, number, RegExp, (lines: string[]) => string[]][] = [
  [
    'a changed value',
    2,
    /was changed/,
    (l) => l.with(1, l[1]?.replace('event 2', 'event 7') ?? ''),
  ],
  [
    'a changed hash',
    3,
    /was changed/,
    (l) => l.with(2, l[2]?.replace(/"hash":"[0-9a-f]/, '"hash":"z') ?? ''),
  ],
  [
    'a changed last line',
    5,
    /was changed/,
    (l) => l.with(4, l[4]?.replace('event 5', 'event 6') ?? ''),
  ],
  ['a deleted first line', 1, /seq 2, expected 1/, (l) => l.slice(1)],
  ['a deleted line', 3, /seq 4, expected 3/, (l) => l.toSpliced(2, 1)],
  ['a duplicated line', 3, /seq 2, expected 3/, (l) => l.toSpliced(2, 0, l[1] ?? '')],
  ['swapped lines', 2, /seq 3, expected 2/, (l) => swap(l, 1, 2)],
  ['an empty line', 2, /not JSON/, (l) => l.toSpliced(1, 0, '')],
  ['a line in other words', 2, /canonical/, (l) => l.with(1, l[1]?.replace('{', '{ ') ?? '')],
  [
    'a line with a member twice',
    2,
    /canonical/,
    (l) => l.with(1, l[1]?.replace('"n":2', '"n":1,"n":2') ?? ''),
  ],
  ['a line without its brace', 2, /not JSON/, (l) => l.with(1, l[1]?.slice(1) ?? '')],
  ['a line that is no object', 2, /not a JSON object/, (l) => l.with(1, '[]')],
  [
    'a line nested without end',
    2,
    /seq|nests/,
    (l) => l.with(1, l[1]?.replace('"x"', `${'['.repeat(50_000)}${']'.repeat(50_000)}`) ?? ''),
  ],
];

for (const [what, line, why, edit] of edits) {
  test(`${what} is found and nothing is appended after it`, async (t) => {
    const file = join(await createFolder(t), 'chain.jsonl');
    const chain = await openChain(file, 'test');
    await chain.append(records);
    await chain.close();
    assert.deepEqual(await verifyChain(file, 'test'), { ok: true, records: 5, head: chain.head });

    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
    const edited = `${edit(lines).join('\n')}\n`;
    await writeFile(file, edited);

    const found = await verifyChain(file, 'test');
    assert.ok(!found.ok);
    assert.equal(found.line, line);
    assert.match(found.why, why);
    await assert.rejects(
      openChain(file, 'test'),
      (error) => error instanceof ChainError && error.line === line,
    );
    assert.equal(await readFile(file, 'utf8'), edited);
  });
}

test('a hash moved to another place of its line is found', async (t) => {
  const file = join(await createFolder(t), 'chain.jsonl');
  const chain = await openChain(file, 'test');
  const [head] = await chain.append([{ 5: 'a', 7: { x: 'y,z' }, aa: 1, kind: 'event' }]);
  await chain.close();
  const line = await readFile(file, 'utf8');
  const member = `,"hash":"${head?.hash}"`;
  assert.ok(line.includes(member));
  const bare = line.replace(member, '');
  for (let at = 0; at <= bare.length; at++) {
    const moved = bare.slice(0, at) + member + bare.slice(at);
    await writeFile(file, moved);
    assert.equal((await verifyChain(file, 'test')).ok, moved === line, moved);
  }
});

test('any flipped bit is found', async (t) => {
  const file = join(await createFolder(t), 'chain.jsonl');
  const chain = await openChain(file, 'test');
  await chain.append(records.slice(0, 2));
  await chain.close();
  const bytes = await readFile(file);
  for (let at = 0; at < bytes.length; at++) {
    const flipped = Buffer.from(bytes);
    flipped[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
    await writeFile(file, flipped);
    assert.equal((await verifyChain(file, 'test')).ok, false, `byte ${at}`);
  }
});

test('a chain put in the place of another is found', async (t) => {
  const file = join(await createFolder(t), 'chain.jsonl');
  const chain = await openChain(file, 'run a');
  await chain.append(records);
  await chain.close();
  const found = await verifyChain(file, 'run b');
  assert.ok(!found.ok);
  assert.match(found.why, /another identity/);
  await assert.rejects(openChain(file, 'run b'), ChainError);
});
