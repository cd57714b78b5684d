/** What snapshots do not cover: it is never taken for something that came into being since. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { copyWorkspace } from '../../activities/files/copies.ts';
import { runAsNobody } from '../sandbox/nobody.ts';
import { openSnapshots } from '../../activities/snapshots/snapshots.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'dev-agent-uncovered-')));
after(() => rmSync(root, { recursive: true, force: true }));

const mebi = 1024 * 1024;
let rooms = 0;

function createRoom(ignored = '*.db\n*.bin\nnode_modules\n') {
  rooms += 1;
  const workspace = join(root, `w${rooms}`);
  const store = join(root, `s${rooms}`);
  mkdirSync(workspace);
  const at = (path: string): string => join(workspace, path);
  const write = (path: string, content: string | Buffer): void => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), content);
  };
  /** A file of that size that takes no space, with a mark at its start. */
  const plant = (path: string, bytes: number, mark = 'mark'): void => {
    write(path, mark);
    truncateSync(at(path), bytes);
  };
  const mark = (path: string): string => readFileSync(at(path)).subarray(0, 4).toString();
  execFileSync('git', ['init', '-q'], { cwd: workspace });
  write('.gitignore', ignored);
  write('a.txt', 'one\n');
  const snapshots = openSnapshots(store, workspace, 'test');
  return { workspace, store, snapshots, at, write, plant, mark };
}

type Room = ReturnType<typeof createRoom>;

/** Takes back what `change` does, as `agent undo` would. */
async function undoing({ snapshots }: Room, change: () => void, since: () => void = () => {}) {
  const before = (await snapshots.capture()).tree;
  change();
  const now = (await snapshots.capture()).tree;
  since();
  const current = (await snapshots.capture()).tree;
  const undone = await snapshots.without({ before, after: now, current });
  const touched = await snapshots.findTouched(before, current);
  const { left } = await snapshots.restore(undone.tree);
  return { ...undone, touched, stayed: left };
}

test('an ignored file of some size is covered before its first change', async () => {
  const room = createRoom();
  const bytes = randomBytes(2_000_000);
  room.write('data.db', bytes);
  const { undone, touched } = await undoing(room, () => truncateSync(room.at('data.db'), 900_000));
  assert.deepEqual([undone, touched], [['data.db'], []]);
  assert.ok(readFileSync(room.at('data.db')).equals(bytes));
});

test('what is too large to cover and shrinks under the limit stays, and is named', async () => {
  const room = createRoom();
  room.plant('data.db', 65 * mebi);
  const done = await undoing(room, () => truncateSync(room.at('data.db'), 900_000));
  assert.deepEqual(done.undone, []);
  assert.deepEqual(done.touched, [{ path: 'data.db', isFolder: false, kind: 'changed' }]);
  assert.equal(lstatSync(room.at('data.db')).size, 900_000);
});

test('a file over the size of any snapshot stays when it shrinks or comes to be tracked', async () => {
  const room = createRoom();
  room.plant('huge', 600 * mebi);
  const done = await undoing(room, () => truncateSync(room.at('huge'), 10));
  assert.deepEqual(
    done.touched.map(({ path }) => path),
    ['huge'],
  );
  assert.equal(room.mark('huge'), 'mark');
});

test('a file that is no longer ignored after the change was there before it', async () => {
  const room = createRoom();
  room.plant('data.db', 65 * mebi);
  const { undone, touched } = await undoing(room, () => room.write('.gitignore', ''));
  assert.deepEqual([undone, touched], [['.gitignore'], []]);
  assert.equal(room.mark('data.db'), 'mark');
});

test('a file that is ignored and large after the change is brought back, and what was there is kept', async () => {
  const room = createRoom();
  room.write('notes.log', 'mine\n');
  const { undone } = await undoing(room, () => {
    room.write('.gitignore', '*.log\n');
    room.plant('notes.log', 70 * mebi);
  });
  assert.deepEqual(undone.toSorted(), ['.gitignore', 'notes.log']);
  assert.equal(readFileSync(room.at('notes.log'), 'utf8'), 'mine\n');
});

test('a cache folder whose tag goes, and a folder that gets one, keep all that is in them', async () => {
  const room = createRoom();
  room.write('target/CACHEDIR.TAG', 'Signature: 8a477f597d28d172789f06886806bc55');
  room.write('target/out', 'built');
  room.write('src/b.txt', 'b\n');
  const { undone, stayed } = await undoing(room, () => {
    rmSync(room.at('target/CACHEDIR.TAG'));
    room.write('src/CACHEDIR.TAG', 'Signature: 8a477f597d28d172789f06886806bc55');
    room.write('src/b.txt', 'changed\n');
  });
  assert.equal(readFileSync(room.at('target/out'), 'utf8'), 'built');
  assert.equal(
    readFileSync(room.at('src/b.txt'), 'utf8'),
    'b\n',
    JSON.stringify({ undone, stayed }),
  );
});

test('a repository made around uncovered data does not take it along when it goes', async () => {
  const room = createRoom();
  room.plant('lib/data.db', 65 * mebi);
  room.write('lib/c.txt', 'c\n');
  await undoing(room, () => execFileSync('git', ['init', '-q', 'lib'], { cwd: room.workspace }));
  assert.equal(room.mark('lib/data.db'), 'mark');
  assert.equal(readFileSync(room.at('lib/c.txt'), 'utf8'), 'c\n');
  assert.ok(!existsSync(room.at('lib/.git')));
});

test('a file and a folder that change places with something uncovered are left or kept aside', async () => {
  const room = createRoom();
  room.write('a.bin', 'small');
  room.write('d/e.txt', 'e\n');
  const { stayed } = await undoing(room, () => {
    rmSync(room.at('a.bin'));
    room.plant('a.bin/inner.bin', 65 * mebi);
    rmSync(room.at('d'), { recursive: true });
    room.plant('d', 70 * mebi, 'kept');
    room.write('.gitignore', '*.bin\nd\n');
  });
  assert.deepEqual(stayed, ['a.bin']);
  assert.equal(room.mark('a.bin/inner.bin'), 'mark');
  assert.equal(readFileSync(room.at('d/e.txt'), 'utf8'), 'e\n');
  const aside = room.snapshots.refs.list('aside');
  assert.equal(aside.length, 1);
  const { tree } = await room.snapshots.readCommit(room.snapshots.refs.read(aside[0] ?? '') ?? '');
  await room.snapshots.restore(tree);
  assert.equal(room.mark('d'), 'kept');
});

test('an uncovered file that was renamed or deleted is named as such, never made up for', async () => {
  const room = createRoom();
  room.plant('one.bin', 65 * mebi);
  room.plant('two.bin', 66 * mebi);
  room.write('node_modules/m/index.js', '1');
  const { touched } = await undoing(room, () => {
    renameSync(room.at('one.bin'), room.at('elsewhere.bin'));
    rmSync(room.at('two.bin'));
    rmSync(room.at('node_modules'), { recursive: true });
  });
  assert.deepEqual(
    touched.map(({ path, kind, to }) => [path, kind, to]),
    [
      ['node_modules', 'gone', undefined],
      ['one.bin', 'moved', 'elsewhere.bin'],
      ['two.bin', 'gone', undefined],
    ],
  );
  assert.equal(room.mark('elsewhere.bin'), 'mark');
});

test('what a run made without its being covered is named and stays', async () => {
  const room = createRoom();
  const { left, undone } = await undoing(room, () => room.plant('made.bin', 65 * mebi));
  assert.deepEqual([left, undone], [['made.bin'], []]);
  assert.ok(existsSync(room.at('made.bin')));
});

test('what a person did to an uncovered file after the run is theirs', async () => {
  const room = createRoom();
  room.write('grown.bin', 'small');
  const { kept } = await undoing(
    room,
    () => rmSync(room.at('grown.bin')),
    () => room.plant('grown.bin', 65 * mebi, 'mine'),
  );
  assert.deepEqual(kept, ['grown.bin']);
  assert.equal(room.mark('grown.bin'), 'mine');
});

test('data over the whole allowance is left out, the smallest files are covered', async () => {
  const room = createRoom();
  for (const index of [1, 2, 3, 4, 5]) room.plant(`${index}.bin`, (50 + index) * mebi);
  const { uncovered } = await room.snapshots.capture();
  assert.deepEqual(uncovered, ['5.bin']);
});

test('going back writes over nothing that no snapshot holds, whatever is in the way', async () => {
  const room = createRoom();
  room.write('x.bin', 'small');
  const { tree } = await room.snapshots.capture();
  room.plant('x.bin', 600 * mebi, 'huge');
  const { left } = await room.snapshots.restore(tree);
  assert.deepEqual(left, ['x.bin']);
  assert.equal(lstatSync(room.at('x.bin')).size, 600 * mebi);
});

test('two copies bring nothing over that only one of them could cover, and delete nothing', async () => {
  const room = createRoom();
  room.write('data.db', randomBytes(2 * mebi));
  room.plant('big.db', 65 * mebi, 'mine');
  const base = (await room.snapshots.capture()).tree;
  const copy = await copyWorkspace(room.store, room.workspace, join(root, `c${rooms}`));
  const lane = openSnapshots(room.store, copy, 'test');
  await lane.restore(base);
  writeFileSync(join(copy, '.gitignore'), '');
  writeFileSync(join(copy, 'big.db'), 'lane');
  writeFileSync(join(copy, 'b.txt'), 'b\n');
  truncateSync(join(copy, 'data.db'), 70 * mebi);
  writeFileSync(join(copy, '.gitignore'), 'data.db\n');
  const theirs = (await lane.capture()).tree;
  const merged = await room.snapshots.merge({ base, ours: base, theirs });
  assert.ok(merged.ok);
  await room.snapshots.restore(merged.tree);
  assert.ok(existsSync(room.at('b.txt')));
  assert.ok(existsSync(room.at('data.db')));
  assert.equal(room.mark('big.db'), 'mine');
});

test('a file that comes to be readable later was there before', (t) => {
  assert.deepEqual(runAsNobody(t, 'readable'), { left: ['closed.txt'], content: 'mine\n' });
});
