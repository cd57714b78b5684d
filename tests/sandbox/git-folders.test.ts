/** What becomes of git folders inside a workspace: objects, submodules, linked work trees. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { copyWorkspace } from '../../activities/files/copies.ts';
import { openSnapshots } from '../../activities/snapshots/snapshots.ts';
import type { Snapshots } from '../../activities/snapshots/snapshots.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'dev-agent-git-folders-')));
after(() => rmSync(root, { recursive: true, force: true }));

let folders = 0;

interface Room {
  readonly workspace: string;
  readonly snapshots: Snapshots;
  readonly git: (...args: string[]) => string;
  /** A repository at the path with one commit. */
  readonly plant: (path: string) => void;
  readonly remove: (path: string) => void;
  /** That the repository at the path is sound, clean, and has these commits. */
  readonly holds: (path: string, ...subjects: string[]) => void;
}

function createRoom(store = join(root, `s${(folders += 1)}`), folder?: string): Room {
  folders += 1;
  const workspace = folder ?? join(root, `w${folders}`);
  mkdirSync(workspace, { recursive: true });
  const git = (...args: string[]): string =>
    execFileSync(
      'git',
      ['-c', 'user.name=t', '-c', 'user.email=t@t', '-c', 'protocol.file.allow=always', ...args],
      { cwd: workspace, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
    ).trim();
  return {
    workspace,
    git,
    snapshots: openSnapshots(store, workspace, 'test'),
    plant(path) {
      git('init', '-q', path);
      writeFileSync(join(workspace, path, 'file'), path);
      git('-C', path, 'add', 'file');
      git('-C', path, 'commit', '-qm', 'planted');
    },
    remove: (path) => rmSync(join(workspace, path), { recursive: true }),
    holds(path, ...subjects) {
      git('-C', path, 'fsck', '--full', '--strict');
      assert.deepEqual(git('-C', path, 'log', '--format=%s').split('\n'), subjects);
      assert.equal(git('-C', path, 'status', '--porcelain', '-uno'), '');
    },
  };
}

test('a repository inside that was moved comes back with its history, and goes forward again', async () => {
  const { workspace, snapshots, git, plant, holds } = createRoom();
  plant('.');
  plant('nested');
  const { tree } = await snapshots.capture();
  renameSync(join(workspace, 'nested'), join(workspace, 'elsewhere'));
  git('-C', 'elsewhere', 'commit', '-q', '--allow-empty', '-m', 'moved');
  const moved = (await snapshots.capture()).tree;
  assert.deepEqual((await snapshots.restore(tree)).incomplete, []);
  holds('nested', 'planted');
  assert.deepEqual((await snapshots.restore(moved)).incomplete, []);
  holds('elsewhere', 'moved', 'planted');
});

test('a submodule comes back with its work tree', async () => {
  const { workspace, snapshots, git, plant, remove, holds } = createRoom();
  const other = createRoom();
  other.plant('lib');
  plant('.');
  git('submodule', '--quiet', 'add', join(other.workspace, 'lib'), 'deps/lib');
  git('commit', '-qm', 'with lib');
  const { tree } = await snapshots.capture();
  remove('deps');
  await snapshots.restore(tree);
  holds('.', 'with lib', 'planted');
  holds('deps/lib', 'planted');
  assert.match(git('submodule', 'status'), /^ ?[0-9a-f]{40} deps\/lib/);
  writeFileSync(join(workspace, 'deps/lib/file'), 'changed');
  git('-C', 'deps/lib', 'commit', '-qam', 'changed');
  const changed = (await snapshots.capture()).tree;
  await snapshots.restore(tree);
  holds('deps/lib', 'planted');
  await snapshots.restore(changed);
  holds('deps/lib', 'changed', 'planted');
});

test('a linked work tree comes back', async () => {
  const { snapshots, git, plant, remove, holds } = createRoom();
  plant('.');
  const { tree: before } = await snapshots.capture();
  git('worktree', 'add', '-q', '-b', 'side', 'trees/side');
  const { tree } = await snapshots.capture();
  remove('trees');
  git('worktree', 'prune');
  await snapshots.restore(tree);
  holds('trees/side', 'planted');
  assert.equal(git('-C', 'trees/side', 'branch', '--show-current'), 'side');
  await snapshots.restore(before);
  assert.equal(git('worktree', 'list').split('\n').length, 1);
  await snapshots.restore(tree);
  holds('trees/side', 'planted');
});

test('a git folder in place of a file that stands for one, and back', async () => {
  const { workspace, snapshots, git, plant, remove } = createRoom();
  plant('.');
  git('worktree', 'add', '-q', 'side');
  const { tree } = await snapshots.capture();
  remove('side/.git');
  git('init', '-q', 'side');
  const own = (await snapshots.capture()).tree;
  await snapshots.restore(tree);
  assert.equal(git('-C', 'side', 'rev-parse', '--git-common-dir'), join(workspace, '.git'));
  await snapshots.restore(own);
  assert.ok(existsSync(join(workspace, 'side/.git/HEAD')));
});

test('what was removed or made anew has its objects again, staged ones too', async () => {
  const { workspace, snapshots, git, plant, remove, holds } = createRoom();
  for (const path of ['.', 'nested', 'nested/deeper']) plant(path);
  git('gc', '-q');
  writeFileSync(join(workspace, 'staged'), 'staged');
  git('add', 'staged');
  const { tree } = await snapshots.capture();
  remove('.git');
  remove('nested');
  git('init', '-q');
  plant('fresh');
  const anew = (await snapshots.capture()).tree;
  assert.deepEqual((await snapshots.restore(tree)).incomplete, []);
  assert.equal(git('status', '--porcelain', '-uno'), 'A  staged');
  git('commit', '-qm', 'second');
  holds('.', 'second', 'planted');
  holds('nested', 'planted');
  holds('nested/deeper', 'planted');
  assert.deepEqual((await snapshots.restore(anew)).incomplete, []);
  holds('fresh', 'planted');
  assert.ok(!existsSync(join(workspace, 'nested')));
  assert.deepEqual((await snapshots.restore(tree)).incomplete, []);
  holds('nested/deeper', 'planted');
});

const memory = '/dev/shm';
const isApart = existsSync(memory) && statSync(memory).dev !== statSync(root).dev;

test(
  'a store on another file system copies what has to go, and says what was never kept',
  { skip: !isApart },
  async (t) => {
    const store = mkdtempSync(join(memory, 'dev-agent-git-folders-'));
    t.after(() => rmSync(store, { recursive: true }));
    const { workspace, snapshots, git, plant, remove, holds } = createRoom(store);
    for (const path of ['.', 'nested']) plant(path);
    const { tree } = await snapshots.capture();
    renameSync(join(workspace, 'nested'), join(workspace, 'elsewhere'));
    assert.deepEqual((await snapshots.restore(tree)).incomplete, []);
    holds('nested', 'planted');
    plant('fresh');
    const later = (await snapshots.capture()).tree;
    await snapshots.restore(tree);
    assert.deepEqual((await snapshots.restore(later)).incomplete, []);
    holds('fresh', 'planted');
    remove('.git');
    git('init', '-q');
    assert.deepEqual((await snapshots.restore(tree)).incomplete, ['.']);
    assert.equal((await snapshots.capture()).tree, tree);
    assert.throws(() => git('log'));
  },
);

test(
  'copies of a workspace take each other’s objects, of new and nested repositories too',
  { skip: !isApart },
  async (t) => {
    const store = mkdtempSync(join(memory, 'dev-agent-git-folders-'));
    t.after(() => rmSync(store, { recursive: true }));
    const original = createRoom(store);
    for (const path of ['.', 'nested']) original.plant(path);
    const base = (await original.snapshots.capture()).tree;
    const path = await copyWorkspace(store, original.workspace, join(root, 'copy'));
    const copied = createRoom(store, path);
    const copy = copied.snapshots;
    await copy.restore(base);
    original.git('-C', 'nested', 'commit', '-q', '--allow-empty', '-m', 'since');
    const since = (await original.snapshots.capture()).tree;
    assert.deepEqual((await copy.restore(since)).incomplete, []);
    copied.holds('nested', 'since', 'planted');
    copied.plant('fresh');
    copied.git('-C', 'nested', 'commit', '-q', '--allow-empty', '-m', 'copy');
    copied.git('commit', '-q', '--allow-empty', '-m', 'copy');
    const theirs = (await copy.capture()).tree;
    const merged = await original.snapshots.merge({ base: since, ours: since, theirs });
    assert.ok(merged.ok);
    await original.snapshots.fetchObjects(copied.workspace, theirs);
    assert.deepEqual((await original.snapshots.restore(merged.tree)).incomplete, []);
    original.holds('.', 'copy', 'planted');
    original.holds('nested', 'copy', 'since', 'planted');
    original.holds('fresh', 'planted');
  },
);

test('objects are never put through a link', async () => {
  const { workspace, snapshots, git, plant, remove } = createRoom();
  plant('.');
  git('gc', '-q');
  const { tree } = await snapshots.capture();
  const outside = join(root, 'outside');
  mkdirSync(outside);
  remove('.git');
  git('init', '-q');
  remove('.git/objects/pack');
  symlinkSync(outside, join(workspace, '.git/objects/pack'));
  assert.deepEqual((await snapshots.restore(tree)).incomplete, ['.']);
  assert.deepEqual(readdirSync(outside), []);
});
