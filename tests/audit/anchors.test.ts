import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, cp, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';

import { createAnchors } from '../../audit/record/anchors/anchors.ts';
import { ChainError, openChain } from '../../audit/record/chain.ts';
import { createAuditLog } from '../../audit/record/log.ts';
import { toKeyFile } from '../../audit/record/keys/signing-key.ts';
import { verifyState } from '../../audit/verify/verify.ts';
import { toWitnessFolder } from '../../audit/record/anchors/witness.ts';
import { toRunLog, toStateFolders } from '../../config/folders.ts';
import { createFolder } from './folder.ts';

const noon = () => new Date('2026-03-01T12:00:00Z');
const day = 'audit/2026-03-01.jsonl';

const appendEntry = async (root: string, by: string): Promise<void> => {
  const log = createAuditLog(toStateFolders(root).audit, noon);
  await log.append({ kind: 'policy', time: noon().toISOString(), sha256: '', by });
  await log.close();
};

const appendEvents = async (root: string, run: string, count: number): Promise<void> => {
  const chain = await openChain(toRunLog(root, run), `run ${run}`, createAnchors(root));
  for (let n = 1; n <= count; n++) await chain.append([{ kind: 'event', run, n }]);
  await chain.close();
};

/** Two runs and a day, all anchored. */
const createState = async (t: TestContext): Promise<string> => {
  const root = await createFolder(t);
  await appendEvents(root, 'a', 3);
  await appendEvents(root, 'b', 3);
  for (const by of ['first', 'second', 'third']) await appendEntry(root, by);
  assert.deepEqual((await verifyState(root)).findings, []);
  assert.deepEqual((await verifyState(root)).notes, []);
  return root;
};

const cutLine = async (file: string): Promise<void> => {
  const lines = (await readFile(file, 'utf8')).split('\n');
  await writeFile(file, `${lines.slice(0, -2).join('\n')}\n`);
};

/** Writes the whole chain anew with its last record changed: every hash fits. */
const rewriteTail = async (file: string, identity: string): Promise<void> => {
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  await rm(file);
  const chain = await openChain(file, identity);
  const records = lines.map((line) => JSON.parse(line) as object);
  await chain.append([...records.slice(0, -1), { ...records.at(-1), n: 99 }]);
  await chain.close();
};

for (const [what, file, line, expected, damage] of [
  ['a run log cut at a line end', 'run-a.jsonl', 3, /was cut, it had at least 3/, cutLine],
  ['a day cut at a line end', day, 3, /was cut, it had at least 3/, cutLine],
  [
    'a tail rewritten with new hashes',
    'run-a.jsonl',
    3,
    /another one than was anchored/,
    (path: string) => rewriteTail(path, 'run a'),
  ],
  ['a deleted run log', 'run-a.jsonl', undefined, /is gone/, rm],
  ['a deleted day', day, undefined, /is gone/, rm],
  [
    'a log cut in mid-line before its anchor',
    'run-a.jsonl',
    3,
    /was cut/,
    async (path: string) => truncate(path, (await stat(path)).size - 5),
  ],
] as const) {
  test(`${what} is found, and named`, async (t) => {
    const root = await createState(t);
    await damage(join(root, file));
    const { findings } = await verifyState(root);
    assert.equal(findings.length, 1, JSON.stringify(findings));
    assert.equal(findings[0]?.file, file);
    assert.equal(findings[0]?.line, line);
    assert.match(findings[0]?.what ?? '', expected);
  });
}

for (const [what, file, expected, damage] of [
  [
    'a deleted anchor',
    'anchors/run-a.json',
    /run-a.jsonl was anchored/,
    (root: string) => rm(join(root, 'anchors/run-a.json')),
  ],
  [
    'a log deleted together with its anchor',
    'anchors/run-b.json',
    /run-b.jsonl was anchored/,
    (root: string) => Promise.all([rm(toRunLog(root, 'b')), rm(join(root, 'anchors/run-b.json'))]),
  ],
  [
    'an anchor in the place of another',
    'anchors/run-b.json',
    /is that of run-a/,
    (root: string) => cp(join(root, 'anchors/run-a.json'), join(root, 'anchors/run-b.json')),
  ],
  [
    'an anchor with another number',
    'anchors/run-a.json',
    /signature does not match/,
    async (root: string) => {
      await cutLine(toRunLog(root, 'a'));
      const anchor = join(root, 'anchors/run-a.json');
      await writeFile(
        anchor,
        (await readFile(anchor, 'utf8')).replace('"records":3', '"records":2'),
      );
    },
  ],
  [
    'rubbish for an anchor',
    'anchors/run-a.json',
    /is not an anchor/,
    (root: string) => writeFile(join(root, 'anchors/run-a.json'), 'x'),
  ],
  [
    'an anchor forged with another key',
    'anchors/run-a.json',
    /another key/,
    async (root: string) => {
      const other = createAnchors(root, join(root, 'forged.pem'));
      await rm(join(root, 'anchors/run-a.json'));
      await other.of('run-a.jsonl').keep({ seq: 2, hash: '0'.repeat(64) });
    },
  ],
  [
    'a register without its last record',
    'anchors/register.jsonl',
    /was cut/,
    (root: string) => cutLine(join(root, 'anchors/register.jsonl')),
  ],
  [
    'a deleted register',
    'anchors/register.jsonl',
    /is gone/,
    (root: string) => rm(join(root, 'anchors/register.jsonl')),
  ],
  [
    'a register rewritten without a name',
    'anchors/register.jsonl',
    /not signed/,
    async (root: string) => {
      const path = join(root, 'anchors/register.jsonl');
      const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
      await rm(path);
      const chain = await openChain(path, 'anchors');
      await chain.append(lines.slice(1).map((line) => JSON.parse(line) as object));
      await chain.close();
    },
  ],
] as const) {
  test(`${what} is found`, async (t) => {
    const root = await createState(t);
    await damage(root);
    const { findings } = await verifyState(root);
    const found = findings.filter((finding) => finding.file === file);
    assert.ok(
      found.some((finding) => expected.test(finding.what)),
      JSON.stringify(findings),
    );
  });
}

test('a log from before there were anchors is told of, and anchored when it goes on', async (t) => {
  const root = await createFolder(t);
  const old = await openChain(toRunLog(root, 'a'), 'run a');
  await old.append([{ kind: 'event' }]);
  await old.close();
  const { findings, notes } = await verifyState(root);
  assert.deepEqual(findings, []);
  assert.match(notes[0]?.what ?? '', /has no anchor/);
  await (await openChain(toRunLog(root, 'a'), 'run a', createAnchors(root))).close();
  assert.deepEqual((await verifyState(root)).notes, []);
});

const cutWithoutAnchors = async (file: string): Promise<void> => {
  await cutLine(file);
  await rm(join(dirname(file), 'anchors'), { recursive: true });
};

test('a cut or rewritten log is not continued, so that its anchor stays', async (t) => {
  for (const damage of [cutLine, (file: string) => rewriteTail(file, 'run a'), cutWithoutAnchors]) {
    const root = await createState(t);
    await damage(toRunLog(root, 'a'));
    await assert.rejects(
      openChain(toRunLog(root, 'a'), 'run a', createAnchors(root)),
      (error) => error instanceof ChainError && error.line === 3,
    );
    assert.ok((await verifyState(root)).findings.some(({ file }) => file === 'run-a.jsonl'));
  }
});

test('a log cut, another removed, and all anchors gone: what was anchored is remembered outside', async (t) => {
  const root = await createState(t);
  await cutLine(join(root, day));
  await rm(toRunLog(root, 'b'));
  await rm(join(root, 'anchors'), { recursive: true });
  const { findings } = await verifyState(root);
  const said = new Map(findings.map(({ file, what }) => [file, what]));
  assert.match(said.get(day) ?? '', /was cut, it had at least 3 records/);
  assert.match(said.get('run-b.jsonl') ?? '', /is gone: it had at least 3 records/);
  for (const log of ['run-a', 'run-b', '2026-03-01'])
    assert.match(said.get(`anchors/${log}.json`) ?? '', /is gone/);
});

test('a state folder put back to an earlier state is found, and removed as a whole, too', async (t) => {
  const root = await createState(t);
  const earlier = await createFolder(t);
  await cp(root, earlier, { recursive: true });
  await appendEntry(root, 'fourth');
  await appendEvents(root, 'c', 2);
  assert.deepEqual((await verifyState(root)).findings, []);
  for (const name of await readdir(root)) await rm(join(root, name), { recursive: true });
  assert.equal((await verifyState(root)).findings.filter(({ file }) => file === day).length, 1);
  await cp(earlier, root, { recursive: true });
  const files = (await verifyState(root)).findings.map(({ file }) => file);
  for (const file of [day, 'run-c.jsonl', 'anchors/2026-03-01.json'])
    assert.ok(files.includes(file), `${file} in ${files.join(' ')}`);
  assert.ok(!files.includes('run-a.jsonl'), 'what is as it was is no finding');
  await assert.rejects(appendEntry(root, 'fifth'), ChainError);
});

test('a log that began anew stays a finding when the state folder forgets it', async (t) => {
  const root = await createState(t);
  await rm(join(root, day));
  await appendEntry(root, 'fourth');
  await rm(join(root, 'anchors'), { recursive: true });
  await appendEntry(root, 'fifth');
  const { findings } = await verifyState(root);
  const about = findings.find(({ file }) => file === day);
  assert.match(about?.what ?? '', /began anew; it had 3 records/, JSON.stringify(findings));
});

test('verify says what it cannot know where nothing is remembered outside', async (t) => {
  const root = await createState(t);
  await rm(toWitnessFolder(root, toKeyFile()), { recursive: true });
  const { findings, notes } = await verifyState(root);
  assert.deepEqual(findings, []);
  assert.match(notes[0]?.what ?? '', /put back to an earlier state.*cannot be seen/);
  await appendEntry(root, 'fourth');
  assert.deepEqual((await verifyState(root)).notes, [], 'from then on it is remembered');
});

test('a log that begins anew leaves on record what it had', async (t) => {
  for (const damage of [
    (root: string) => rm(join(root, day)),
    (root: string) => writeFile(join(root, day), ''),
    (root: string) => createAnchors(root, join(root, 'x.pem')).of(day).keep({ seq: 9, hash: '' }),
  ]) {
    const root = await createState(t);
    await damage(root);
    await appendEntry(root, 'fourth');
    const { findings } = await verifyState(root);
    const [finding] = findings;
    assert.equal(finding?.file, 'anchors/register.jsonl', JSON.stringify(findings));
    assert.match(finding.what, /2026-03-01.jsonl (was deleted|was signed)/);
    await appendEntry(root, 'fifth');
    assert.deepEqual((await verifyState(root)).findings, findings);
  }
});

test('a line that another process began and did not finish is no finding', async (t) => {
  const root = await createState(t);
  await appendFile(toRunLog(root, 'a'), '{"kind":"ev');
  const { findings, notes } = await verifyState(root);
  assert.deepEqual(findings, []);
  assert.match(notes[0]?.what ?? '', /not finished/);
});

test('the key is private, outside the state folder, and the same for all', async (t) => {
  await createState(t);
  const file = toKeyFile();
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.equal((await stat(dirname(file))).mode & 0o777, 0o700);
  assert.match(file, /dev-agent\/keys\/audit\.pem$/);
});

test('where no key can be made, logs go on without anchors', async (t) => {
  const root = await createFolder(t);
  const home = join(root, 'home');
  await writeFile(home, '');
  const anchors = createAnchors(root, join(home, 'keys', 'audit.pem'));
  const chain = await openChain(toRunLog(root, 'a'), 'run a', anchors);
  await chain.append([{ kind: 'event' }]);
  await chain.close();
  const { findings, notes } = await verifyState(root);
  assert.deepEqual(findings, []);
  assert.equal(notes.length, 1);
});

test('without the key the heads are still compared', async (t) => {
  const root = await createState(t);
  const keyFile = join(root, 'none.pem');
  assert.match((await verifyState(root, { keyFile })).notes[0]?.what ?? '', /not their signatures/);
  await cutLine(toRunLog(root, 'a'));
  assert.equal((await verifyState(root, { keyFile })).findings.length, 1);
});

test('writers killed at any moment never make a finding', async (t) => {
  const root = await createFolder(t);
  const appender = join(import.meta.dirname, 'appender.ts');
  const { audit } = toStateFolders(root);
  for (let round = 0; round < 12; round++) {
    const commands = [
      ['log', audit, 'a', '100000'],
      ['log', audit, 'b', '100000'],
      ['chain', toRunLog(root, 'k'), 'k', '100000', 'run k'],
    ];
    const children = commands.map((args) =>
      spawn(process.execPath, [appender, ...args], { stdio: ['ignore', 'pipe', 'inherit'] }),
    );
    const ended = children.map((child) => once(child, 'exit'));
    await once(children[round % 3]!.stdout, 'data');
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
    // Also while they write.
    assert.deepEqual((await verifyState(root)).findings, []);
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(ended);
    assert.deepEqual((await verifyState(root)).findings, []);
  }
});
