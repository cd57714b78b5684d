import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openChain } from '../../audit/record/chain.ts';
import { createAnchors } from '../../audit/record/anchors/anchors.ts';
import { toKeyFile } from '../../audit/record/keys/signing-key.ts';
import { toRunLog } from '../../config/folders.ts';
import type { Place } from './program.ts';
import { createPlace, runAgent } from './program.ts';

let place: Place;
before(async () => {
  place = await createPlace();
  await mkdir(place.state, { recursive: true });
  const anchors = createAnchors(place.state, toKeyFile(place.env));
  const chain = await openChain(toRunLog(place.state, 'kept'), 'run kept', anchors);
  await chain.append([{ kind: 'header', run: 'kept' }]);
  await chain.append([{ kind: 'close' }]);
  await chain.close();
});
after(() => place.remove());

test('a record that cannot be compared because Temporal is away: exit 69 and its address', async () => {
  const env = { ...place.env, TEMPORAL_ADDRESS: '127.0.0.1:1' };
  const { code, stdout, stderr } = await runAgent(['audit', 'reconcile', 'kept'], { env });
  assert.equal(code, 69);
  assert.equal(stdout, '');
  assert.match(stderr, /127\.0\.0\.1:1 does not answer/);
});

test('a run nobody knows cannot be compared', async () => {
  const { code, stderr } = await runAgent(['audit', 'reconcile', 'kapt'], { env: place.env });
  assert.equal(code, 2);
  assert.match(stderr, /no run "kapt".*Did you mean kept/);
});

test('verify names a cut log and exits 1', async () => {
  assert.equal((await runAgent(['audit', 'verify', 'kept'], { env: place.env })).code, 0);
  const file = toRunLog(place.state, 'kept');
  const text = await readFile(file, 'utf8');
  await writeFile(file, `${text.split('\n')[0]}\n`);
  const { code, stdout } = await runAgent(['audit', 'verify', 'kept'], { env: place.env });
  await writeFile(file, text);
  assert.equal(code, 1);
  assert.match(stdout, /✗ run-kept.jsonl:2: is gone: the log was cut/);
});

test('an export is verified by its file alone, and a changed one exits 1', async () => {
  const out = join(place.root, 'kept.tgz');
  const made = await runAgent(['audit', 'export', 'kept', '-o', out, '--json'], { env: place.env });
  assert.equal(made.code, 0, made.stderr);
  const { manifest } = JSON.parse(made.stdout) as { manifest: { files: { path: string }[] } };
  assert.deepEqual(
    manifest.files.map(({ path }) => path),
    [
      'policies/network.yaml',
      'policies/paths.yaml',
      'policies/tools.yaml',
      'run-kept.jsonl',
      'tools.json',
    ],
  );
  const elsewhere = { XDG_CONFIG_HOME: join(place.root, 'elsewhere') };
  const good = await runAgent(['audit', 'verify', out], { env: elsewhere });
  assert.equal(good.code, 0, good.stdout);
  assert.match(good.stdout, /run kept.*which is not yours/);
  assert.match((await runAgent(['audit', 'verify', out], { env: place.env })).stdout, /your key/);
  const bytes = await readFile(out);
  bytes[200] = (bytes[200] ?? 0) ^ 1;
  await writeFile(out, bytes);
  const bad = await runAgent(['audit', 'verify', out, '--json'], { env: place.env });
  assert.equal(bad.code, 1);
  const { ok, findings } = JSON.parse(bad.stdout) as { ok: boolean; findings: unknown[] };
  assert.ok(!ok && findings.length > 0);
  const none = await runAgent(['audit', 'verify', './none.tgz'], { env: place.env });
  assert.equal(none.code, 2);
});
