import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { appendFile, mkdir, readFile, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { pruneAnswers } from '../../activities/model/answers.ts';
import { pruneSpool } from '../../activities/model/spool.ts';
import { createAnchors } from '../../audit/record/anchors/anchors.ts';
import { createBlobStore } from '../../audit/record/blobs.ts';
import { openChain } from '../../audit/record/chain.ts';
import { createAuditLog } from '../../audit/record/log.ts';
import { SweepError, sweepBlobs } from '../../audit/record/sweep.ts';
import { verifyState } from '../../audit/verify/verify.ts';
import { toRunLog, toStateFolders } from '../../config/folders.ts';
import { createFolder, toOutcome } from './folder.ts';
import { waitFor } from '../setup/wait-for.ts';

const dayMs = 86_400_000;
const longAgo = new Date(Date.now() - 30 * dayMs);

/** A run whose log names a blob that names another, an audit log that names a third. */
async function createState(t: TestContext) {
  const root = await createFolder(t);
  const folders = toStateFolders(root);
  const anchors = createAnchors(root);
  const blobs = createBlobStore(folders.blobs);
  /** Stored `age` ago. */
  const put = async (content: string, age = longAgo): Promise<string> => {
    const ref = await blobs.put(content);
    await utimes(blobs.pathOf(ref), age, age);
    return ref;
  };
  const has = (ref: string): boolean => existsSync(blobs.pathOf(ref));
  const append = async (run: string, ...records: readonly object[]): Promise<void> => {
    const chain = await openChain(toRunLog(root, run), `run ${run}`, anchors);
    await chain.append(records);
    await chain.close();
  };
  const act = async (run: string, time: string, observation: string): Promise<void> => {
    const log = createAuditLog(folders.audit, () => new Date(time), anchors);
    await log.append(toOutcome(run, observation, time));
    await log.close();
  };
  const deepest = await put('named by a blob that a blob names');
  const deep = await put(`${'x'.repeat(300_000)} ${deepest}`);
  const named = await put(`read_blob ${deep} has all`);
  const seen = await put('what a tool said');
  const inPayload = await put('named in a payload');
  const payload = Buffer.from(JSON.stringify({ plan: inPayload })).toString('base64');
  const time = '2026-03-01T00:00:00.000Z';
  const event = { result: { list: [named] }, input: { payloads: [{ data: payload }] } };
  await append('a', { kind: 'event', time, event }, { kind: 'close', time });
  await act('a', time, seen);
  return { root, folders, put, has, append, act, named: [named, deep, deepest, seen, inPayload] };
}

const hasNoFindings = async (root: string): Promise<void> =>
  assert.deepEqual((await verifyState(root)).findings, []);

test('what a record names stays, also through blobs; what nothing names goes when it is old', async (t) => {
  const { root, put, has, named } = await createState(t);
  const orphan = await put('of a run whose log was deleted');
  const inner = await put(`named by no record: ${orphan}`);
  const young = await put('about to be named', new Date(Date.now() - 6 * dayMs));
  const { removed, kept, closed } = await sweepBlobs({ root });
  assert.deepEqual([removed, kept], [2, 6]);
  assert.deepEqual([...closed.keys()], ['a']);
  assert.ok([...named, young].every(has));
  assert.ok(![orphan, inner].some(has));
  await hasNoFindings(root);
});

test('the grace period is a parameter, and what was never finished goes too', async (t) => {
  const { root, folders, put, has } = await createState(t);
  const young = await put('of yesterday', new Date(Date.now() - dayMs));
  const unfinished = join(folders.blobs, 'sha256', 'ab', `${'c'.repeat(62)}.x.tmp`);
  await mkdir(join(unfinished, '..'), { recursive: true });
  await writeFile(unfinished, 'half');
  await utimes(unfinished, longAgo, longAgo);
  assert.equal((await sweepBlobs({ root, graceMs: dayMs / 2 })).removed, 2);
  assert.ok(!has(young) && !existsSync(unfinished));
});

test('nothing goes while a log cannot be read, was changed, or is behind what its run did', async (t) => {
  const damages: readonly ((state: Awaited<ReturnType<typeof createState>>) => Promise<void>)[] = [
    async ({ root }) => {
      await mkdir(toRunLog(root, 'folder'));
    },
    async ({ root }) => {
      const file = toRunLog(root, 'a');
      await writeFile(file, (await readFile(file, 'utf8')).replace('"time"', '"tine"'));
    },
    async ({ folders }) => {
      const [day = ''] = await readdir(folders.audit);
      const file = join(folders.audit, day);
      await writeFile(file, `no record\n${await readFile(file, 'utf8')}`);
    },
    async ({ act, named }) => act('a', '2026-03-01T02:00:00.000Z', named[0] ?? ''),
  ];
  for (const damage of damages) {
    const state = await createState(t);
    const orphan = await state.put('orphan');
    await damage(state);
    await assert.rejects(sweepBlobs({ root: state.root }), SweepError);
    assert.ok(state.has(orphan));
  }
});

test('a log whose last line is being written does not stop it', async (t) => {
  const { root, put, has } = await createState(t);
  const orphan = await put('orphan');
  await appendFile(toRunLog(root, 'a'), '{"kind":"ev');
  await sweepBlobs({ root });
  assert.ok(!has(orphan));
});

test('killed in its middle, it leaves everything verifiable, and the next one ends its work', async (t) => {
  const { root, put, has, named } = await createState(t);
  const orphans: string[] = [];
  for (let index = 0; index < 250; index++) orphans.push(await put(`orphan ${index}`));
  const left = (): number => orphans.filter(has).length;
  const module = import.meta.resolve('../../audit/record/sweep.ts');
  // It rests after every hundred: killed there, it has done a part.
  const code = `import { sweepBlobs } from '${module}'; await sweepBlobs({ root: ${JSON.stringify(root)}, restMs: 2000 });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'inherit' });
  const ended = once(child, 'exit');
  await waitFor('the first blobs to go', () => left() < orphans.length);
  child.kill('SIGKILL');
  await ended;
  assert.ok(left() > 0, 'killed in the middle');
  assert.ok(named.every(has));
  await hasNoFindings(root);
  await sweepBlobs({ root });
  assert.equal(left(), 0);
  assert.ok(named.every(has));
  await hasNoFindings(root);
});

test('old answers and what closed runs left in the spool are pruned', async (t) => {
  const root = await createFolder(t);
  for (const name of ['old.json', 'new.json', 'run-open.ndjson', 'run-over.ndjson'])
    await writeFile(join(root, name), '{}');
  await utimes(join(root, 'old.json'), longAgo, longAgo);
  await pruneAnswers(root, Date.now() - dayMs);
  await pruneSpool(root, (workflowId) => workflowId === 'run-over');
  assert.deepEqual(await readdir(root), ['new.json', 'run-open.ndjson']);
  await pruneAnswers(join(root, 'none'), Date.now());
  await pruneSpool(join(root, 'none'), () => true);
});
