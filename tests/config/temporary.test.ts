import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { removeLeftBlobs } from '../../audit/record/blobs.ts';
import { removeLeftTemps, toTempName } from '../../config/temporary.ts';

const root = mkdtempSync(join(tmpdir(), 'dev-agent-temporary-'));
after(() => rmSync(root, { recursive: true, force: true }));

test('what a dead process left half-written goes, and nothing else', () => {
  const dead = spawnSync('true').pid;
  const mine = toTempName();
  for (const name of [`${dead}-of-the-dead.tmp`, mine, 'in-force.json', `${dead}.json`])
    writeFileSync(join(root, name), '');
  removeLeftTemps(root);
  assert.deepEqual(
    readdirSync(root).toSorted(),
    [mine, 'in-force.json', `${dead}.json`].toSorted(),
  );
});

test('a store that was never written to has nothing left', () => {
  removeLeftBlobs(join(root, 'absent'));
});
