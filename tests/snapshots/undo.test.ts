/** What undo does with files that a person edited after the run. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openSnapshots } from '../../activities/snapshots/snapshots.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'dev-agent-undo-')));
after(() => rmSync(root, { recursive: true, force: true }));

const lines = (...changed: readonly (readonly [number, string])[]): string => {
  const all = Array.from({ length: 20 }, (_, index) => `line ${index}`);
  for (const [index, text] of changed) all[index] = text;
  return `${all.join('\n')}\n`;
};

let rooms = 0;

/** A file before, after the run and by now; what undo makes of it. */
async function undo(versions: readonly (string | Buffer)[]) {
  rooms += 1;
  const workspace = join(root, `w${rooms}`);
  mkdirSync(workspace);
  const file = join(workspace, 'a.txt');
  const snapshots = openSnapshots(join(root, `s${rooms}`), workspace, 'test');
  const trees: string[] = [];
  for (const version of versions) {
    writeFileSync(file, version);
    trees.push((await snapshots.capture()).tree);
  }
  const [before = '', now = '', current = ''] = trees;
  const { tree, undone, merged, kept } = await snapshots.without({ before, after: now, current });
  await snapshots.restore(tree);
  return { undone, merged, kept, text: readFileSync(file, 'latin1') };
}

test('a person’s lines stay where undo takes the run’s lines out around them', async () => {
  const done = await undo([
    lines(),
    lines([2, 'by the run']),
    lines([2, 'by the run'], [15, 'by a person']),
  ]);
  assert.deepEqual(done, {
    undone: [],
    merged: ['a.txt'],
    kept: [],
    text: lines([15, 'by a person']),
  });
});

test('where a person changed the run’s own lines, the file stays as it is and is named', async () => {
  const mine = lines([2, 'by a person']);
  const done = await undo([lines(), lines([2, 'by the run']), mine]);
  assert.deepEqual(done, { undone: [], merged: [], kept: ['a.txt'], text: mine });
});

test('what is no text is never merged', async () => {
  const [one, two, three] = [1, 2, 3].map((byte) => Buffer.from([0, byte, 10, 0, 10, byte]));
  assert.ok(one !== undefined && two !== undefined && three !== undefined);
  const done = await undo([one, two, three]);
  assert.deepEqual(done.kept, ['a.txt']);
  assert.equal(done.text, three.toString('latin1'));
});
