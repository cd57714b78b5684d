import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { byHand, createLeases } from '../../activities/files/lease.ts';
import { openSnapshots } from '../../activities/snapshots/snapshots.ts';
import { createAnchors } from '../../audit/record/anchors/anchors.ts';
import { openChain } from '../../audit/record/chain.ts';
import { toRunLog, toStateFolders } from '../../config/folders.ts';
import { pruneSnapshots } from '../../workers/prune.ts';
import { createFolder } from '../audit/folder.ts';
import { input, tellHistory } from '../audit/told-history.ts';

const dayMs = 86_400_000;

/** A run of twenty calls, each with 50 kB that nobody has again, as its log and its refs tell it. */
async function createState(t: TestContext) {
  const root = realpathSync(await createFolder(t));
  const folders = toStateFolders(join(root, 'state'));
  const workspace = join(root, 'workspace');
  for (const folder of [folders.root, workspace]) mkdirSync(folder, { recursive: true });
  const open = () => openSnapshots(folders.snapshots, workspace, 'test');
  const snapshots = open();
  const write = (content: string): void => writeFileSync(join(workspace, 'file'), content);
  write('before the run');
  const trees = [(await snapshots.capture()).tree];
  for (let seq = 1; seq <= 20; seq++) {
    write(
      `${seq} ${Array.from({ length: 50_000 }, () => Math.random().toString(36).at(-1)).join('')}`,
    );
    trees.push((await snapshots.capture()).tree);
    for (const [what, at] of [
      ['pre', seq - 1],
      ['post', seq],
    ] as const)
      snapshots.refs.create(
        `a/${seq}/${what}`,
        await snapshots.commit({ tree: trees[at] ?? '', message: '{}' }),
      );
  }
  await snapshots.keep('a/drift/', trees[5] ?? '');
  const story = tellHistory();
  story.start({ ...input, workspace });
  story.activity('openWorkspace', {}, { ok: true, tree: trees[0] });
  story.activity(
    'act',
    { step: 's1', seq: 20, workspace },
    { verdict: 'allow', tree: trees[20], ms: 1 },
  );
  const chain = await openChain(toRunLog(folders.root, 'a'), 'run a', createAnchors(folders.root));
  await chain.append(
    story.events.map((event) => ({ kind: 'event', execution: 'x', id: event.eventId, event })),
  );
  await chain.close();
  const store = join(
    folders.snapshots,
    readdirSync(folders.snapshots).find((name) => name.endsWith('.git')) ?? '',
  );
  const git = (...args: string[]): string =>
    execFileSync('git', ['--git-dir', store, ...args], { encoding: 'utf8' });
  const age = (): void => {
    const old = new Date(Date.now() - 60 * dayMs);
    for (const entry of readdirSync(join(store, 'objects'), {
      recursive: true,
      withFileTypes: true,
    }))
      if (entry.isFile()) utimesSync(join(entry.parentPath, entry.name), old, old);
  };
  const size = (): number => Number(/size: (\d+)/.exec(git('count-objects', '-v'))?.[1]);
  const prune = (endedDaysAgo: number | undefined, grace?: number) =>
    pruneSnapshots({
      root: folders.root,
      days: 30,
      closed: new Map(endedDaysAgo === undefined ? [] : [['a', Date.now() - endedDaysAgo * dayMs]]),
      graceMs: grace,
    });
  return { folders, workspace, open, snapshots, trees, store, git, age, size, prune, write };
}

test('of a run that ended long ago the first and the last snapshot stay, and what was taken from a person', async (t) => {
  const { workspace, open, trees, git, age, size, prune, write } = await createState(t);
  age();
  const before = size();
  assert.equal((await prune(31)).length, 1);
  assert.ok(size() < before / 4, `${before} kB → ${size()} kB`);
  git('fsck', '--full');
  const snapshots = open();
  assert.deepEqual(
    snapshots.refs.list('a').map((name) => name.split('/')[1]),
    ['drift', 'named', 'named'],
  );
  assert.equal((await snapshots.compare(trees[0] ?? '', trees[20] ?? '')).length, 1);
  for (const at of [0, 5, 20]) await snapshots.restore(trees[at] ?? '');
  assert.match(readFileSync(join(workspace, 'file'), 'utf8'), /^20 /);
  assert.equal(await snapshots.has(trees[10] ?? ''), false);
  // What was removed is made again where it is needed again.
  write('before the run');
  const { tree } = await snapshots.capture();
  assert.equal(tree, trees[0]);
});

test('nothing goes of a run that is open or ended lately', async (t) => {
  const { snapshots, trees, age, size, prune } = await createState(t);
  // Known to the log only.
  snapshots.refs.remove('a/1/pre');
  for (const ended of [undefined, 29]) {
    age();
    const before = size();
    assert.equal((await prune(ended)).length, 1);
    assert.ok(size() >= before);
  }
  for (const tree of trees) await snapshots.restore(tree);
});

test('what is used again while nothing names it any more stays', async (t) => {
  const { workspace, snapshots, trees, age, prune, write } = await createState(t);
  await snapshots.restore(trees[10] ?? '');
  const content = readFileSync(join(workspace, 'file'), 'utf8');
  await snapshots.restore(trees[20] ?? '');
  age();
  write(content);
  const again = await snapshots.update(trees[20] ?? '', ['file']);
  assert.equal(again, trees[10]);
  write('something else');
  await prune(31);
  await snapshots.restore(trees[20] ?? '');
  await snapshots.restore(again);
  assert.equal(readFileSync(join(workspace, 'file'), 'utf8'), content);
});

test('a store is left alone while somebody is at work in a folder of it', async (t) => {
  const { folders, workspace, size, age, store, prune } = await createState(t);
  age();
  const leases = createLeases(folders.leases);
  const before = size();
  for (const run of [`${byHand}undo-a`, 'other']) {
    await leases.hold(workspace, run);
    assert.deepEqual(await prune(31), []);
    await leases.release(run);
  }
  // Claimed by an open run whose worker is gone.
  await leases.claim(workspace, 'other', () => Promise.resolve(true));
  assert.deepEqual(await prune(31), []);
  assert.equal(size(), before);
  await leases.release('other');
  assert.deepEqual(
    (await prune(31)).map((name) => join(folders.snapshots, name)),
    [store],
  );
  assert.ok(existsSync(store));
});
