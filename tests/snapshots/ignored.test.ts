import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { orderDiff, rankPath, toNames } from '../../activities/snapshots/diff.ts';
import { openSnapshots } from '../../activities/snapshots/snapshots.ts';
import type { Snapshots } from '../../activities/snapshots/snapshots.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'agent-ignored-')));
after(() => rmSync(root, { recursive: true }));
let rooms = 0;

interface Room {
  readonly workspace: string;
  readonly snapshots: Snapshots;
  readonly write: (files: Readonly<Record<string, string>>) => void;
  readonly git: (...args: readonly string[]) => void;
  readonly capture: () => Promise<string>;
}

function openRoom(files: Readonly<Record<string, string>>, repository = true): Room {
  const workspace = join(root, `w${++rooms}`);
  mkdirSync(workspace);
  const git = (...args: readonly string[]): void =>
    void execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], {
      cwd: workspace,
      stdio: 'ignore',
    });
  const write = (written: Readonly<Record<string, string>>): void => {
    for (const [path, content] of Object.entries(written)) {
      mkdirSync(dirname(join(workspace, path)), { recursive: true });
      writeFileSync(join(workspace, path), content);
    }
  };
  write(files);
  if (repository) git('init');
  const snapshots = openSnapshots(join(root, `s${rooms}`), workspace, 'test');
  const capture = async (): Promise<string> => (await snapshots.capture()).tree;
  return { workspace, snapshots, write, git, capture };
}

async function sort({ snapshots, capture }: Room, before: string) {
  const { changes, ignored } = await snapshots.sortChanges(before, await capture());
  const paths = (list: typeof changes) => list.map(({ path }) => path).toSorted();
  return { changes: paths(changes), ignored: paths(ignored) };
}

test('what git ignores is apart, and what it tracks is not, whatever the rules say', async () => {
  const room = openRoom({
    '.gitignore': 'dist/\n*.log\n!keep.log\n',
    'packages/a/.gitignore': '/out\n',
    'tracked.log': 'one\n',
    'src/a.ts': 'one\n',
  });
  room.git('add', '-f', '.');
  room.git('commit', '-m', 'x');
  room.write({ '.git/info/exclude': 'scratch/\n' });
  const before = await room.capture();
  room.write({
    'src/a.ts': 'two\n',
    'tracked.log': 'two\n',
    'keep.log': 'x',
    'scratch/y': 'x',
    'dist/a/b.js': 'x',
    'a.log': 'x',
    'packages/a/out': 'x',
    out: 'x',
    ':(top)b.log': 'x',
    '-c.log': 'x',
    'new\nline.log': 'x',
    'ü.log': 'x',
  });
  assert.deepEqual(await sort(room, before), {
    changes: ['keep.log', 'out', 'src/a.ts', 'tracked.log'],
    ignored: [
      '-c.log',
      ':(top)b.log',
      'a.log',
      'dist/a/b.js',
      'new\nline.log',
      'packages/a/out',
      'scratch/y',
      'ü.log',
    ],
  });
});

test('nobody hides a change by ignoring it in the same run', async () => {
  const room = openRoom({ 'src/a.ts': 'one\n' });
  room.git('add', '.');
  const before = await room.capture();
  room.write({ '.gitignore': '*\n', 'evil.js': 'x', 'src/.gitignore': 'b.ts\n', 'src/b.ts': 'x' });
  room.write({ '.git/info/exclude': '*\n' });
  assert.deepEqual(await sort(room, before), {
    changes: ['.gitignore', 'evil.js', 'src/.gitignore', 'src/b.ts'],
    ignored: [],
  });
});

test('a folder that is no repository has its own rules, and those for what tools leave behind', async () => {
  const room = openRoom({ '.gitignore': 'data/\n' }, false);
  const before = await room.capture();
  room.write({ 'a.py': 'x', 'a.pyc': 'x', 'lib/.DS_Store': 'x', 'data/x': 'x', 'dist/a.js': 'x' });
  assert.deepEqual(await sort(room, before), {
    changes: ['a.py', 'dist/a.js'],
    ignored: ['a.pyc', 'data/x', 'lib/.DS_Store'],
  });
});

test('where git keeps its index in pieces, a file that was there before is never left out', async () => {
  const room = openRoom({ '.gitignore': '*.log\n', 'tracked.log': 'one\n' });
  room.git('add', '-f', '.');
  room.git('update-index', '--split-index');
  const before = await room.capture();
  room.write({ 'tracked.log': 'two\n', 'new.log': 'x' });
  const { changes } = await sort(room, before);
  assert.ok(changes.includes('tracked.log'));
});

test('rules that are a link, and an index that is none, rule nothing', async () => {
  const room = openRoom({ rules: '*\n', 'a.txt': 'one\n' });
  symlinkSync('rules', join(room.workspace, '.gitignore'));
  room.write({ '.git/index': 'no index' });
  const before = await room.capture();
  room.write({ 'a.txt': 'two\n', 'b.txt': 'x' });
  assert.deepEqual(await sort(room, before), { changes: ['a.txt', 'b.txt'], ignored: [] });
});

test('a change without what git ignores is the rest of it, and undo still covers all', async () => {
  const room = openRoom({ '.gitignore': 'dist/\n', 'dist/old.js': 'one\n', 'a.txt': 'one\n' });
  room.git('add', '.');
  const before = await room.capture();
  room.write({ 'a.txt': 'two\n', 'dist/old.js': 'two\n', 'dist/new.js': 'x' });
  const tree = await room.capture();
  const { snapshots } = room;
  const { tree: rest, ignored } = await snapshots.withoutIgnored(before, tree);
  assert.deepEqual(ignored.toSorted(), ['dist/new.js', 'dist/old.js']);
  const changed = (await snapshots.compare(before, rest)).map(({ path }) => path);
  assert.deepEqual(changed, ['a.txt']);
  const { undone } = await snapshots.without({ before, after: tree, current: tree });
  assert.deepEqual([...undone].toSorted(), ['a.txt', 'dist/new.js', 'dist/old.js']);
});

test('a diff has source before tests before what tools write, without what is left out', async () => {
  const room = openRoom({ 'kind.txt': 'a file\n', 'old.ts': 'line\n'.repeat(20) }, false);
  const before = await room.capture();
  room.write({
    'a/package-lock.json': '{}\n',
    'tests/a.test.ts': 'test\n',
    'z.ts': 'source\n',
    'x\ndiff --git a/z.ts b/z.ts\n': 'odd\n',
    'a.pyc': 'cache\n',
    'dist/b.js': 'built\n',
    'new.ts': `${'line\n'.repeat(20)}more\n`,
  });
  rmSync(join(room.workspace, 'old.ts'));
  rmSync(join(room.workspace, 'kind.txt'));
  symlinkSync('z.ts', join(room.workspace, 'kind.txt'));
  const tree = await room.capture();
  const { ignored } = await room.snapshots.sortChanges(before, tree);
  const diff = await room.snapshots.renderDiff(before, tree, ignored);
  const heads = diff.split('\n').filter((line) => line.startsWith('diff --git'));
  assert.deepEqual(heads, [
    'diff --git a/kind.txt b/kind.txt',
    'diff --git a/kind.txt b/kind.txt',
    'diff --git a/old.ts b/new.ts',
    String.raw`diff --git "a/x\ndiff --git a/z.ts b/z.ts\n" "b/x\ndiff --git a/z.ts b/z.ts\n"`,
    'diff --git a/z.ts b/z.ts',
    'diff --git a/tests/a.test.ts b/tests/a.test.ts',
    'diff --git a/a/package-lock.json b/a/package-lock.json',
    'diff --git a/dist/b.js b/dist/b.js',
  ]);
  assert.doesNotMatch(diff, /cache/);
  assert.match(await room.snapshots.renderDiff(before, tree), /\+cache/);
});

test('a diff whose parts cannot be told apart is shown whole', () => {
  const text = 'diff --git a/a b/a\nx\ndiff --git a/b b/b\ny\n';
  assert.equal(orderDiff(text, ['a'], new Set(['a'])), text);
  assert.deepEqual(toNames(['R090', 'a', 'b', 'T', 'c', 'M', 'd']), ['b', 'c', 'c', 'd']);
});

for (const [path, rank] of [
  ['src/index.ts', 0],
  ['README.md', 0],
  ['src/latest.ts', 0],
  ['src/index.test.ts', 1],
  ['pkg/store_test.go', 1],
  ['Cargo.lock', 2],
  ['web/dist/app.js', 2],
  ['tests/__snapshots__/a.snap', 2],
  ['go.sum', 2],
] as const)
  test(`${path} has rank ${rank} in a diff`, () => assert.equal(rankPath(path), rank));
