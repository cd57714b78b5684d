import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { ChainError, verifyChain } from '../../audit/record/chain.ts';
import { createAuditLog } from '../../audit/record/log.ts';
import type { AuditEntry } from '../../audit/record/log.ts';
import { verifyState } from '../../audit/verify/verify.ts';
import { createFolder, readAll } from './folder.ts';

const toEntry = (by: string): AuditEntry => ({
  kind: 'policy',
  time: '2026-01-01T00:00:00Z',
  sha256: '',
  by,
});
const noon = (day: string) => new Date(`${day}T12:00:00Z`);

test('entries appended at once keep their order', async (t) => {
  const dir = join(await createFolder(t), 'audit');
  const log = createAuditLog(dir, () => noon('2026-03-01'));
  const heads = await Promise.all(
    Array.from({ length: 200 }, (_, n) => log.append(toEntry(String(n)))),
  );
  await log.close();
  const records = await readAll(join(dir, '2026-03-01.jsonl'));
  assert.deepEqual(
    records.map(({ by }) => by),
    Array.from({ length: 200 }, (_, n) => String(n)),
  );
  assert.deepEqual(
    records.map(({ seq, hash }) => ({ seq, hash })),
    heads,
  );
});

test('processes append to the same day at once', async (t) => {
  const root = await createFolder(t);
  const dir = join(root, 'audit');
  const appender = join(import.meta.dirname, 'appender.ts');
  const children = ['a', 'b', 'c'].map((name) =>
    spawn(process.execPath, [appender, 'log', dir, name, '150'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    }),
  );
  const codes = await Promise.all(children.map((child) => once(child, 'exit')));
  assert.deepEqual(codes, [
    [0, null],
    [0, null],
    [0, null],
  ]);

  const days = await readdir(dir);
  const entries = (await Promise.all(days.map((name) => readAll(join(dir, name))))).flat();
  for (const name of ['a', 'b', 'c']) {
    const times = entries.filter(({ by }) => by === name).map(({ time }) => Number(time));
    assert.deepEqual(
      times,
      Array.from({ length: 150 }, (_, n) => n + 1),
    );
  }
  assert.deepEqual((await verifyState(root)).findings, []);
  assert.deepEqual((await readdir(root)).toSorted(), ['anchors', 'audit']);
});

test('a process killed while it appends stops nobody else', async (t) => {
  const root = await createFolder(t);
  const dir = join(root, 'audit');
  const appender = join(import.meta.dirname, 'appender.ts');
  const mine = createAuditLog(dir);
  for (let round = 1; round <= 5; round++) {
    const child = spawn(process.execPath, [appender, 'log', dir, 'child', '100000'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    await once(child.stdout, 'data');
    await Promise.all([mine.append(toEntry('mine')), mine.append(toEntry('mine'))]);
    child.kill('SIGKILL');
    await ended;
    await mine.append(toEntry('mine'));
  }
  await mine.close();
  assert.deepEqual((await verifyState(root)).findings, []);
});

test('a new day links to the end of the day before, and a clock set back stays in it', async (t) => {
  const root = await createFolder(t);
  const dir = join(root, 'audit');
  let day = '2026-03-01';
  const log = createAuditLog(dir, () => noon(day));
  const end = await log.append(toEntry('first'));
  day = '2026-03-04';
  assert.equal((await log.append(toEntry('second'))).seq, 2);
  day = '2026-03-03';
  await log.append(toEntry('third'));
  const other = createAuditLog(dir, () => noon(day));
  await other.append(toEntry('fourth'));
  await log.close();
  await other.close();

  assert.deepEqual((await readdir(dir)).toSorted(), ['2026-03-01.jsonl', '2026-03-04.jsonl']);
  const [link, ...rest] = await readAll(join(dir, '2026-03-04.jsonl'));
  assert.equal(link?.['kind'], 'link');
  assert.equal(link?.['previous'], '2026-03-01.jsonl');
  assert.equal(link?.['head'], end.hash);
  assert.deepEqual(
    rest.map(({ by }) => by),
    ['second', 'third', 'fourth'],
  );
  assert.deepEqual((await verifyState(root)).findings, []);
});

test('torn tails at a change of day are repaired on both sides of the link', async (t) => {
  const root = await createFolder(t);
  const dir = join(root, 'audit');
  let day = '2026-03-01';
  const log = createAuditLog(dir, () => noon(day));
  await log.append(toEntry('first'));
  await log.close();
  await appendFile(join(dir, '2026-03-01.jsonl'), '{"by"');
  await writeFile(join(dir, '2026-03-02.jsonl'), '{"head":"12');
  day = '2026-03-02';
  await log.append(toEntry('second'));
  await log.close();
  const kinds = (await readAll(join(dir, '2026-03-02.jsonl'))).map(({ kind }) => kind);
  assert.deepEqual(kinds, ['repair', 'link', 'policy']);
  assert.deepEqual((await verifyState(root)).findings, []);
});

test('a changed day refuses entries until it is moved away', async (t) => {
  const dir = join(await createFolder(t), 'audit');
  const file = join(dir, '2026-03-01.jsonl');
  const first = createAuditLog(dir, () => noon('2026-03-01'));
  await first.append(toEntry('first'));
  await first.append(toEntry('second'));
  await first.close();
  await writeFile(file, (await readFile(file, 'utf8')).replace('first', 'worst'));
  const log = createAuditLog(dir, () => noon('2026-03-01'));
  await assert.rejects(
    log.append(toEntry('third')),
    (error) => error instanceof ChainError && error.line === 1,
  );
  await rm(file);
  assert.equal((await log.append(toEntry('third'))).seq, 1);
  await log.close();
});

test('a day deleted under an open log begins anew', async (t) => {
  const dir = join(await createFolder(t), 'audit');
  const file = join(dir, '2026-03-01.jsonl');
  const log = createAuditLog(dir, () => noon('2026-03-01'));
  await log.append(toEntry('first'));
  await rm(dir, { recursive: true });
  await log.append(toEntry('second'));
  await log.close();
  const found = await verifyChain(file, 'audit 2026-03-01');
  assert.ok(found.ok && found.records === 1);
});
