/** Permissions that a run changed come back with what it changed; nothing becomes more readable than it was. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, suite, test } from 'node:test';
import { openSnapshots } from '../../activities/snapshots/snapshots.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'dev-agent-modes-')));
after(() => rmSync(root, { recursive: true, force: true }));

let rooms = 0;

function createRoom() {
  rooms += 1;
  const workspace = join(root, `w${rooms}`);
  mkdirSync(workspace, { mode: 0o755 });
  const open = () => openSnapshots(join(root, `s${rooms}`), workspace, 'test');
  return {
    workspace,
    open,
    snapshots: open(),
    write: (path: string, mode = 0o644, content = path): void => {
      const file = join(workspace, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
      chmodSync(file, mode);
    },
    chmod: (path: string, mode: number) => chmodSync(join(workspace, path), mode),
    modeOf: (path: string) => (lstatSync(join(workspace, path)).mode & 0o777).toString(8),
  };
}

type Room = ReturnType<typeof createRoom>;

const fill = ({ write }: Room, count: number): void => {
  for (let n = 0; n < count; n += 1) write(`many/d${n % 7}/f${n}`);
};

const begin = async (files: number) => {
  const room = createRoom();
  fill(room, files);
  room.write('secret', 0o600);
  room.write('shared', 0o664);
  room.write('plain');
  room.write('tool', 0o750);
  room.write('closed/inside', 0o640);
  room.chmod('closed', 0o700);
  mkdirSync(join(room.workspace, 'empty'));
  room.chmod('empty', 0o711);
  const before = (await room.snapshots.capture()).tree;
  return { ...room, before };
};

// A small folder is looked through by us, a larger one by git.
for (const files of [3, 500])
  suite(`in a folder of ${files} files`, () => {
    const all = ['secret', 'shared', 'plain', 'tool', 'closed', 'closed/inside', 'empty', ''];
    const asTheyWere = ['600', '664', '644', '750', '700', '640', '711', '755'];

    test('a restore brings back what was opened, closed, rewritten and removed', async () => {
      const { before, snapshots, chmod, write, workspace, modeOf } = await begin(files);
      for (const path of all) chmod(path, 0o777);
      write('secret', 0o644, 'rewritten');
      rmSync(join(workspace, 'closed'), { recursive: true });
      rmSync(join(workspace, 'tool'));
      assert.notEqual((await snapshots.capture()).tree, before);
      await snapshots.restore(before);
      assert.deepEqual(all.map(modeOf), asTheyWere);
      assert.equal((await snapshots.capture()).tree, before);
    });

    test('bits alone are noticed, by the next process, too, and taken back', async () => {
      const { before, open, chmod, modeOf } = await begin(files);
      chmod('many', 0o777);
      chmod('plain', 0o666);
      const next = open();
      const now = (await next.capture()).tree;
      assert.notEqual(now, before);
      assert.equal((await next.capture()).tree, now);
      chmod('plain', 0o644);
      chmod('many', 0o755);
      assert.equal((await next.capture()).tree, before);
      assert.deepEqual(all.map(modeOf), asTheyWere);
    });

    test('undo takes a run’s bits back and leaves those a person set since', async () => {
      const { before, snapshots, chmod, write, modeOf } = await begin(files);
      chmod('secret', 0o644);
      chmod('plain', 0o666);
      write('shared', 0o644, 'by the run');
      write('new', 0o600);
      const now = (await snapshots.capture()).tree;
      chmod('plain', 0o400);
      const current = (await snapshots.capture()).tree;
      const { tree, undone } = await snapshots.without({ before, after: now, current });
      await snapshots.restore(tree);
      assert.deepEqual(['secret', 'plain', 'shared'].map(modeOf), ['600', '400', '664']);
      assert.deepEqual(undone.toSorted(), ['new', 'secret', 'shared']);
    });
  });

test('a repository inside has its own', async () => {
  const { snapshots, write, chmod, modeOf, workspace } = createRoom();
  write('inside/.git/HEAD', 0o644, 'ref: refs/heads/main\n');
  mkdirSync(join(workspace, 'inside/.git/objects'), { recursive: true });
  mkdirSync(join(workspace, 'inside/.git/refs'), { recursive: true });
  write('inside/key', 0o600);
  chmod('inside', 0o750);
  const before = (await snapshots.capture()).tree;
  chmod('inside/key', 0o644);
  chmod('inside', 0o755);
  await snapshots.restore(before);
  assert.deepEqual(['inside/key', 'inside'].map(modeOf), ['600', '750']);
});

test('a file tool’s snapshot is the one that a whole look gives', async () => {
  const { snapshots, write } = createRoom();
  write('a', 0o600);
  write('dir/b');
  const before = (await snapshots.capture()).tree;
  write('a', 0o600, 'changed');
  write('dir/b', 0o640);
  const updated = await snapshots.update(before, ['a', 'dir/b']);
  assert.equal(updated, (await snapshots.capture()).tree);
});

test('a file that came and went leaves nothing behind', async () => {
  const { snapshots, write, workspace } = createRoom();
  for (let n = 0; n < 400; n += 1) write(`f${n}`);
  const before = (await snapshots.capture()).tree;
  write('secret', 0o600);
  await snapshots.capture();
  rmSync(join(workspace, 'secret'));
  assert.equal((await snapshots.capture()).tree, before);
});

test('what is put back into a snapshot has the bits it had', async () => {
  const { snapshots, write, modeOf } = createRoom();
  write('.npmrc', 0o600);
  write('other');
  const before = (await snapshots.capture()).tree;
  write('.npmrc', 0o644, 'by a command');
  write('other', 0o644, 'by a command');
  const now = (await snapshots.capture()).tree;
  const differences = await snapshots.difference(before, now);
  const denied = differences.filter(({ path }) => path === '.npmrc');
  await snapshots.restore(await snapshots.putBack(now, before, denied));
  assert.equal(modeOf('.npmrc'), '600');
});

test('nothing outside is touched through a link that stands in the way', async () => {
  const { snapshots, write, workspace } = createRoom();
  const outside = join(root, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'key'), 'theirs');
  chmodSync(join(outside, 'key'), 0o640);
  write('dir/key', 0o666);
  write('kept');
  const before = (await snapshots.capture()).tree;
  renameSync(join(workspace, 'dir'), join(root, 'away'));
  symlinkSync(outside, join(workspace, 'dir'));
  await snapshots.restore(before);
  assert.equal((lstatSync(join(outside, 'key')).mode & 0o777).toString(8), '640');
  assert.equal((lstatSync(join(workspace, 'dir/key')).mode & 0o777).toString(8), '666');
});

test('what both sides of a merge changed stays as ours', async () => {
  const { snapshots, write, chmod, modeOf } = createRoom();
  for (const path of ['one', 'two', 'both']) write(path);
  const base = (await snapshots.capture()).tree;
  chmod('two', 0o600);
  chmod('both', 0o600);
  write('by-them');
  const theirs = (await snapshots.capture()).tree;
  await snapshots.restore(base);
  chmod('one', 0o640);
  chmod('both', 0o640);
  write('by-us');
  const ours = (await snapshots.capture()).tree;
  const merged = await snapshots.merge({ base, ours, theirs });
  assert.ok(merged.ok);
  await snapshots.restore(merged.tree);
  assert.deepEqual(['one', 'two', 'both'].map(modeOf), ['640', '600', '640']);
});
