import assert from 'node:assert/strict';
import { mkdir, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { create, list } from 'tar';

import { createAnchors } from '../../audit/record/anchors/anchors.ts';
import { createBlobStore } from '../../audit/record/blobs.ts';
import { openChain } from '../../audit/record/chain.ts';
import { ExportError, exportRun, readExport } from '../../audit/export/export.ts';
import { verifyExport } from '../../audit/export/import.ts';
import { createAuditLog } from '../../audit/record/log.ts';
import { seal } from '../../audit/record/keys/seal.ts';
import { ensureSigningKey, toKeyFile } from '../../audit/record/keys/signing-key.ts';
import { toRunLog, toStateFolders } from '../../config/folders.ts';
import { createFolder, toOutcome } from './folder.ts';

const toPayload = (value: unknown) => ({
  metadata: { encoding: Buffer.from('json/plain').toString('base64') },
  data: Buffer.from(JSON.stringify(value)).toString('base64'),
});

/** A run whose history names a transcript in a payload, which names a part; and another run's lines between. */
const createState = async (t: TestContext) => {
  const outer = await createFolder(t);
  const root = join(outer, 'state');
  await mkdir(root);
  const { blobs: folder, audit } = toStateFolders(root);
  const blobs = createBlobStore(folder);
  const part = await blobs.put('a part');
  const transcript = await blobs.putJson({ parts: [part], image: `sha256:${'0'.repeat(64)}` });
  const observation = await blobs.put('seen');
  const other = await blobs.put('of another run');
  const chain = await openChain(toRunLog(root, 'a'), 'run a', createAnchors(root));
  await chain.append([{ kind: 'header', run: 'a' }]);
  const input = {
    payloads: [toPayload({ transcript, args: { ref: `sha256:${'1'.repeat(64)}` } })],
  };
  await chain.append([
    { kind: 'event', execution: 'e1', id: 1, event: { eventId: '1', input } },
    { kind: 'close' },
  ]);
  await chain.close();
  for (const day of ['2026-03-01', '2026-03-02']) {
    const log = createAuditLog(audit, () => new Date(`${day}T12:00:00Z`));
    await log.append(toOutcome('a', observation, '2026-03-01T00:00:00Z'));
    await log.append(toOutcome('b', other, '2026-03-01T00:00:00Z'));
    await log.append(toOutcome('a', observation, '2026-03-01T00:00:00Z'));
    await log.append(toOutcome('a', observation, '2026-03-01T00:00:00Z'));
    await log.close();
  }
  const out = join(outer, 'a.agent-export.tgz');
  const write = () =>
    exportRun({
      root,
      run: 'a',
      out,
      versions: { agent: '1.2.3' },
      tools: '[]',
      policy: { sha256: '5'.repeat(64), files: { tools: 't', network: 'n', paths: 'p' } },
    });
  return { outer, root, out, write, blobs, named: [part, transcript, observation], other };
};

const find = async (out: string, outer: string) => (await verifyExport(out, outer)).findings;

test('an export holds the whole run and nothing else, verifies offline and unpacks', async (t) => {
  const { outer, root, out, write, named, blobs } = await createState(t);
  const { manifest, key } = await write();
  await rm(root, { recursive: true });
  const reading = await verifyExport(out, outer);
  assert.deepEqual(reading, { manifest, key, findings: [] });
  assert.deepEqual(
    manifest.files.map(({ path }) => path),
    [
      'audit/2026-03-01.jsonl',
      'audit/2026-03-02.jsonl',
      ...named.map((ref) => blobs.pathOf(ref).slice(root.length + 1)).toSorted(),
      'policies/network.yaml',
      'policies/paths.yaml',
      'policies/tools.yaml',
      'run-a.jsonl',
      'tools.json',
    ],
  );
  const folder = join(outer, 'restored');
  assert.equal((await readExport(out, folder)).manifest.run, 'a');
  const store = createBlobStore(join(folder, 'blobs'));
  for (const ref of named) await store.get(ref);
  const lines = (await readFile(join(folder, 'audit/2026-03-02.jsonl'), 'utf8'))
    .trimEnd()
    .split('\n');
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { run: string }).run),
    ['a', 'a', 'a'],
  );
  assert.deepEqual((await readdir(outer)).toSorted(), ['a.agent-export.tgz', 'restored']);
});

test('tar itself reads an export', async (t) => {
  const { out, write } = await createState(t);
  await write();
  const names: string[] = [];
  await list({ file: out, strict: true, onReadEntry: ({ path }) => names.push(path) });
  assert.deepEqual(names.slice(0, 3), ['manifest.json', 'manifest.sig', 'key.pem']);
});

test('any changed byte is found', async (t) => {
  const { outer, out, write } = await createState(t);
  await write();
  const bytes = await readFile(out);
  for (let at = 0; at < bytes.length; at += 1 + (at % 7)) {
    const changed = Buffer.from(bytes);
    changed[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
    await writeFile(out, changed);
    assert.notDeepEqual(await find(out, outer), [], `byte ${at}`);
  }
  for (const cut of [1, 50, 90, 91, bytes.length - 10, bytes.length]) {
    await writeFile(out, bytes.subarray(0, bytes.length - cut));
    assert.notDeepEqual(await find(out, outer), [], `cut by ${cut}`);
  }
  await writeFile(out, Buffer.concat([bytes, Buffer.alloc(1)]));
  assert.notDeepEqual(await find(out, outer), []);
  const folder = join(outer, 'restored');
  await assert.rejects(readExport(out, folder), /changed since it was exported/);
  assert.deepEqual(await readdir(folder), []);
});

/** Packs a folder again and seals it with the right key: only what is inside is wrong. */
const repack = async (outer: string, out: string, change: (folder: string) => Promise<unknown>) => {
  const folder = join(outer, 'unpacked');
  await readExport(out, folder);
  await change(folder);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
  await create({ cwd: folder, gzip: true, portable: true, file: out }, names);
  await seal(out, ensureSigningKey(toKeyFile()));
};

for (const [what, file, expected, change] of [
  [
    'a file the manifest does not have',
    'audit/2026-03-09.jsonl',
    /not in the manifest/,
    (folder: string) => writeFile(join(folder, 'audit/2026-03-09.jsonl'), ''),
  ],
  ['a missing file', 'tools.json', /missing/, (folder: string) => rm(join(folder, 'tools.json'))],
  [
    'a changed log',
    'run-a.jsonl',
    /not what the manifest says/,
    async (folder: string) => {
      const log = join(folder, 'run-a.jsonl');
      await writeFile(log, (await readFile(log, 'utf8')).replace('"id":1', '"id":2'));
    },
  ],
  [
    'a changed manifest',
    'manifest.sig',
    /does not sign/,
    async (folder: string) => {
      const manifest = join(folder, 'manifest.json');
      await writeFile(manifest, (await readFile(manifest, 'utf8')).replace('1.2.3', '1.2.4'));
    },
  ],
  [
    'a file no export contains',
    'a.agent-export.tgz',
    /which no export contains/,
    (folder: string) => writeFile(join(folder, 'evil.sh'), ''),
  ],
  [
    'a symbolic link',
    'a.agent-export.tgz',
    /SymbolicLink/,
    async (folder: string) => {
      await rm(join(folder, 'tools.json'));
      await symlink('/etc/passwd', join(folder, 'tools.json'));
    },
  ],
] as const) {
  test(`${what} in an export is found`, async (t) => {
    const { outer, out, write } = await createState(t);
    await write();
    await repack(outer, out, change);
    const findings = await find(out, outer);
    const found = findings.find((finding) => finding.file === file);
    assert.match(found?.what ?? '', expected, JSON.stringify(findings));
  });
}

test('a path that leads out of the folder is refused, and nothing is written there', async (t) => {
  const { outer, out } = await createState(t);
  const folder = join(outer, 'deep', 'er');
  await mkdir(folder, { recursive: true });
  await writeFile(join(outer, 'deep', 'manifest.json'), '{}');
  await create({ cwd: folder, gzip: true, file: out, preservePaths: true }, ['../manifest.json']);
  await seal(out, ensureSigningKey(toKeyFile()));
  await assert.rejects(readExport(out, join(outer, 'x', 'y')), /no export contains/);
  assert.deepEqual(await readdir(join(outer, 'x')), ['y']);
});

test('a record with a finding is not exported', async (t) => {
  const { root, outer, write } = await createState(t);
  const file = toRunLog(root, 'a');
  await writeFile(file, (await readFile(file, 'utf8')).replace('"id":1', '"id":2'));
  await assert.rejects(write(), ExportError);
  assert.deepEqual(await readdir(outer), ['state']);
});
