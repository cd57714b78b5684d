import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, suite, test } from 'node:test';
import { createHistoryReader } from '../../activities/files/history-secrets.ts';
import { createRedactor } from '../../policies/secrets/redaction.ts';

const base = mkdtempSync(join(tmpdir(), 'history-secrets-'));
after(() => rmSync(base, { recursive: true, force: true }));

function createRoom(name: string) {
  const root = join(base, name);
  mkdirSync(root);
  const git = (...args: readonly string[]): string =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], {
      cwd: root,
      encoding: 'utf8' as const,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  const write = (path: string, content: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  const commit = (path: string, content: string): void => {
    write(path, content);
    git('add', '-f', path);
    git('commit', '-qm', path);
  };
  git('init', '-q');
  return { root, git, write, commit };
}

const toValues = (found: readonly { readonly value: string }[]): string[] =>
  found.map(({ value }) => value).toSorted();

suite('secrets of .env files that git holds are known', () => {
  test('of any commit, branch, stash and lost object, in any folder, packed or not', async () => {
    const { root, git, write, commit } = createRoom('all');
    commit('.env', 'API_TOKEN=first-value-1\n');
    commit('.env', 'API_TOKEN=second-value-2\n');
    commit('packages/a/.env.production', 'DB_PASSWORD=third-value-3\n');
    git('gc', '-q');
    git('checkout', '-qb', 'other');
    commit('.envrc', 'export API_KEY=fourth-value-4\n');
    git('checkout', '-q', '-');
    write('.env', 'API_TOKEN=fifth-value-5\n');
    git('stash');
    commit('deep/er/.env.local', 'SECRET=sixth-value-6\n');
    git('reset', '-q', '--hard', 'HEAD~1');
    git('reflog', 'expire', '--expire=now', '--all');
    git('rm', '-q', '.env');
    git('commit', '-qm', 'gone');
    const read = createHistoryReader(join(base, 'reader-all'));
    const values = toValues(await read(root));
    assert.deepEqual(values, [
      'fifth-value-5',
      'first-value-1',
      'fourth-value-4',
      'second-value-2',
      'sixth-value-6',
      'third-value-3',
    ]);
    const redactor = createRedactor();
    redactor.add(await createHistoryReader(join(base, 'reader-all'))(root));
    const printed = redactor.mask(git('log', '-p', '--all') + git('show', 'HEAD~1:.env'));
    for (const value of values) assert.ok(!printed.includes(value), value);
    assert.match(printed, /\+DB_PASSWORD=\[secret:DB_PASSWORD\]/);
  });

  test('again when something was added, and not before', async () => {
    const { root, commit } = createRoom('again');
    commit('.env', 'API_TOKEN=first-value-1\n');
    const read = createHistoryReader(join(base, 'reader-again'));
    assert.deepEqual(toValues(await read(root)), ['first-value-1']);
    assert.deepEqual(await read(root), []);
    commit('.env', 'API_TOKEN=second-value-2\n');
    assert.deepEqual(toValues(await read(root)), ['second-value-2']);
  });

  test('but not what an example says, and nothing where there is no repository', async () => {
    const { root, commit } = createRoom('example');
    commit('.env.example', 'API_TOKEN=write-yours-here-1\n');
    commit('src/env.ts', 'API_TOKEN=code-and-no-secret-2\n');
    assert.deepEqual(await createHistoryReader(join(base, 'reader-example'))(root), []);
    const plain = join(base, 'plain');
    mkdirSync(join(plain, '.git'), { recursive: true });
    writeFileSync(join(plain, '.git', 'objects'), 'no folder');
    assert.deepEqual(await createHistoryReader(join(base, 'reader-plain'))(plain), []);
  });

  test('without a program that the settings of the repository name', async () => {
    const { root, git, commit } = createRoom('hostile');
    commit('.env', 'API_TOKEN=first-value-1\n');
    const marker = join(base, 'started');
    for (const key of ['core.fsmonitor', 'core.sshCommand', 'core.pager', 'diff.external'])
      git('config', key, `touch ${marker}`);
    git('config', 'include.path', '/dev/full');
    const read = createHistoryReader(join(base, 'reader-hostile'));
    assert.deepEqual(toValues(await read(root)), ['first-value-1']);
    assert.throws(() => execFileSync('cat', [marker], { stdio: 'ignore' }));
  });
});
