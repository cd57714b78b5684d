/** What becomes of git folders inside a workspace: objects, submodules, linked work trees. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openSnapshots } from '../../activities/workspace/snapshots/snapshots.ts';
import type { Snapshots } from '../../activities/workspace/snapshots/snapshots.ts';

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

function createRoom(store = join(root, `s${(folders += 1)}`)): Room {
  folders += 1;
  const workspace = join(root, `w${folders}`);
  mkdirSync(workspace);
  const git = (...args: string[]): string =>
    execFileSync(
      'git',
      ['-c', 'user.name=t', '-c', 'user.email=t@t', '-c', 'protocol.file.allow=always', ...args],
      { cwd: workspace, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
    ).trim();
  return {
    ...{ workspace, git, snapshots: openSnapshots(store, workspace, 'test') },
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
