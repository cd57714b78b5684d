import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readCommit } from '../../config/version.ts';

const root = mkdtempSync(join(tmpdir(), 'agent-version-'));
after(() => rmSync(root, { recursive: true }));
const main = join(root, 'main');
mkdirSync(main);

const git = (...args: readonly string[]): string =>
  execFileSync('git', ['-C', main, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();

test('the commit of a checkout is known from its branch, packed or not, in a worktree, or without a branch', () => {
  git('init', '-b', 'main');
  assert.equal(readCommit(main), undefined, 'nothing committed');
  git('commit', '--allow-empty', '-m', 'One');
  const one = git('rev-parse', 'HEAD');
  assert.equal(readCommit(main), one);
  const other = join(root, 'other');
  git('worktree', 'add', '-b', 'a/b', other);
  assert.equal(readCommit(other), one);
  git('pack-refs', '--all');
  assert.deepEqual([main, other].map(readCommit), [one, one]);
  git('checkout', '--detach');
  git('commit', '--allow-empty', '-m', 'Two');
  assert.equal(readCommit(main), git('rev-parse', 'HEAD'));
});

test('an installed package has none', () => {
  assert.equal(readCommit(root), undefined);
});
