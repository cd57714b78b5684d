import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { test } from 'node:test';

import { createAnchors } from '../../audit/record/anchors/anchors.ts';
import { createBlobStore } from '../../audit/record/blobs.ts';
import { openChain } from '../../audit/record/chain.ts';
import { createAuditLog } from '../../audit/record/log.ts';
import { verifyState } from '../../audit/verify/verify.ts';
import { toRunLog, toStateFolders } from '../../config/folders.ts';
import { createFolder, toOutcome } from './folder.ts';

/** Two runs with a blob each, and an audit log of three days that names a third blob. */
const createState = async (root: string) => {
  const folders = toStateFolders(root);
  const anchors = createAnchors(root);
  const blobs = createBlobStore(folders.blobs);
  const refs = {
    a: await blobs.put('of a'),
    b: await blobs.put('of b'),
    act: await blobs.put('of act'),
  };
  for (const run of ['a', 'b'] as const) {
    const chain = await openChain(toRunLog(root, run), `run ${run}`, anchors);
    const quoted = `docker pull x@sha256:${'0'.repeat(64)} "sha256:${'1'.repeat(64)}"`;
    await chain.append([
      { kind: 'event', result: { list: [refs[run]] }, digest: `sha256:${'2'.repeat(64)}`, quoted },
    ]);
    await chain.close();
  }
  for (const day of ['2026-03-01', '2026-03-02', '2026-03-03']) {
    const log = createAuditLog(folders.audit, () => new Date(`${day}T00:00:00Z`));
    await log.append(toOutcome('a', refs.act, `${day}T00:00:00Z`));
    await log.append({
      kind: 'policy',
      time: `${day}T00:00:00Z`,
      sha256: '5'.repeat(64),
      by: 'me',
    });
    await log.close();
  }
  return { folders, pathOf: (ref: string) => blobs.pathOf(ref), refs };
};

test('a state folder as it was written has no findings', async (t) => {
  const root = await createFolder(t);
  await createState(root);
  assert.deepEqual(await verifyState(root), { files: 5, records: 10, findings: [], notes: [] });
  assert.deepEqual(await verifyState(root, { run: 'a' }), {
    files: 4,
    records: 9,
    findings: [],
    notes: [],
  });
  assert.deepEqual(await verifyState(join(root, 'none')), {
    files: 0,
    records: 0,
    findings: [],
    notes: [],
  });
});

type State = Awaited<ReturnType<typeof createState>>;
const cutLastLine = async (file: string): Promise<void> => {
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  await writeFile(file, `${lines.slice(0, -1).join('\n')}\n`);
};

const damages: readonly [
  string,
  string,
  RegExp,
  (root: string, state: State) => Promise<unknown>,
][] = [
  [
    'a changed blob',
    'run-b.jsonl',
    /blob sha256:.* was changed/,
    (_, s) => writeFile(s.pathOf(s.refs.b), 'of c'),
  ],
  ['a missing blob', 'audit/2026-03-01.jsonl', /missing blob/, (_, s) => rm(s.pathOf(s.refs.act))],
  [
    'a run in the place of another',
    'run-b.jsonl',
    /another identity/,
    async (root) => writeFile(toRunLog(root, 'b'), await readFile(toRunLog(root, 'a'))),
  ],
  [
    'a day cut at its end',
    'audit/2026-03-02.jsonl',
    /another end of 2026-03-01/,
    (_, s) => cutLastLine(join(s.folders.audit, '2026-03-01.jsonl')),
  ],
  [
    'a day removed',
    'audit/2026-03-03.jsonl',
    /links to 2026-03-02.jsonl, but/,
    (_, s) => rm(join(s.folders.audit, '2026-03-02.jsonl')),
  ],
  [
    'the first day removed',
    'audit/2026-03-02.jsonl',
    /which is not there/,
    (_, s) => rm(join(s.folders.audit, '2026-03-01.jsonl')),
  ],
];

for (const [what, file, expected, damage] of damages) {
  test(`${what} is found`, async (t) => {
    const root = await createFolder(t);
    await damage(root, await createState(root));
    const { findings } = await verifyState(root);
    const finding = findings.find((found) => found.file === file);
    assert.match(finding?.what ?? '', expected, JSON.stringify(findings));
  });
}

test('the files of two runs that changed places are found, and named', async (t) => {
  const root = await createFolder(t);
  await createState(root);
  const [a, b] = [toRunLog(root, 'a'), toRunLog(root, 'b')];
  const [ofA, ofB] = [await readFile(a), await readFile(b)];
  await writeFile(a, ofB);
  await writeFile(b, ofA);
  const { findings } = await verifyState(root);
  assert.deepEqual(
    findings.map(({ file, line }) => [file, line]),
    [
      ['run-a.jsonl', 1],
      ['run-b.jsonl', 1],
    ],
  );
});

test('any changed byte of a log, the register or a blob is found, and its file named', async (t) => {
  const root = await createFolder(t);
  const { refs, pathOf, folders } = await createState(root);
  const { blobs } = folders;
  const unnamed = pathOf(await createBlobStore(blobs).put('named by no record'));
  for (const [path, named] of [
    [toRunLog(root, 'a'), 'run-a.jsonl'],
    [join(folders.audit, '2026-03-02.jsonl'), 'audit/2026-03-02.jsonl'],
    [join(root, 'anchors/register.jsonl'), 'anchors/register.jsonl'],
    [pathOf(refs.b), 'run-b.jsonl'],
    [unnamed, relative(root, unnamed)],
  ] as const) {
    const bytes = await readFile(path);
    for (let at = 0; at < bytes.length; at += 7) {
      const changed = Buffer.from(bytes);
      changed[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
      await writeFile(path, changed);
      const { findings } = await verifyState(root);
      assert.ok(
        findings.some(({ file }) => file === named),
        `byte ${at} of ${named}`,
      );
    }
    await writeFile(path, bytes);
  }
  assert.deepEqual((await verifyState(root)).findings, []);
});

test('a day written without its link is found', async (t) => {
  const root = await createFolder(t);
  const { folders } = await createState(root);
  const chain = await openChain(join(folders.audit, '2026-03-04.jsonl'), 'audit 2026-03-04');
  await chain.append([{ kind: 'policy' }]);
  await chain.close();
  const { findings } = await verifyState(root);
  assert.deepEqual(findings, [
    { file: 'audit/2026-03-04.jsonl', line: 1, what: 'does not link to 2026-03-03.jsonl' },
  ]);
});

test('a run without a mirror is found when it is asked for', async (t) => {
  const { findings } = await verifyState(await createFolder(t), { run: 'x' });
  assert.equal(findings[0]?.file, 'run-x.jsonl');
});
