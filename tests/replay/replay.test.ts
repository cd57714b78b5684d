import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { scenarios } from '../workflows/scenarios.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const files = globSync('tests/histories/*.{json,jsonl}', { cwd: root });

interface Line {
  readonly file: string;
  readonly ok: boolean;
  readonly events?: number;
  readonly error?: string;
}

test('every recorded history, and each part that ends at a completed workflow task, fits today’s code', () => {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['workers/replay.ts', '--prefixes', '--json', ...files],
    { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
  );
  const lines = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
  assert.deepEqual(
    lines.filter(({ ok }) => !ok),
    [],
    stderr,
  );
  assert.equal(status, 0, stderr);
  assert.deepEqual([...new Set(lines.map(({ file }) => file))].toSorted(), files.toSorted());
  assert.ok(lines.length > files.length * 5, `only ${lines.length} parts were replayed`);
});

test('every kind of run has left its history', () => {
  const names = new Set(files.map((file) => basename(file).replace(/(\.\d+)?\.jsonl?$/, '')));
  assert.deepEqual(
    [...scenarios.map(({ name }) => name), 'worker-killed'].filter((name) => !names.has(name)),
    [],
  );
});
