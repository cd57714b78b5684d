import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import {
  array,
  assert as checkProperty,
  asyncProperty,
  constantFrom,
  option,
  record,
  string,
} from 'fast-check';
import { openSnapshots } from '../../activities/snapshots/snapshots.ts';
import type { Snapshots } from '../../activities/snapshots/snapshots.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'dev-agent-snapshots-')));
after(() => rmSync(root, { recursive: true, force: true }));

let folders = 0;

interface Room {
  readonly workspace: string;
  readonly snapshots: Snapshots;
  readonly store: string;
  readonly write: (path: string, content: string) => void;
  readonly read: (path: string) => string;
  readonly git: (...args: string[]) => string;
}

function createRoom(): Room {
  folders += 1;
  const workspace = join(root, `w${folders}`);
  const store = join(root, `s${folders}`);
  mkdirSync(workspace);
  return {
    workspace,
    store,
    snapshots: openSnapshots(store, workspace, 'test'),
    write(path, content) {
      mkdirSync(dirname(join(workspace, path)), { recursive: true });
      writeFileSync(join(workspace, path), content);
    },
    read: (path) => readFileSync(join(workspace, path), 'utf8'),
    git: (...args) =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], {
        cwd: workspace,
        encoding: 'utf8',
      }),
  };
}

test('brings back contents, modes, links, empty folders, and removes what came since', async () => {
  const { workspace, snapshots, write, read } = createRoom();
  write('a.txt', 'one');
  write('deep/er/b.sh', 'run');
  chmodSync(join(workspace, 'deep/er/b.sh'), 0o755);
  symlinkSync('a.txt', join(workspace, 'link'));
  mkdirSync(join(workspace, 'empty/inner'), { recursive: true });
  const { tree } = await snapshots.capture();

  write('a.txt', 'two');
  rmSync(join(workspace, 'deep'), { recursive: true });
  write('deep', 'a file now');
  rmSync(join(workspace, 'link'));
  write('link/inner', 'a folder now');
  rmSync(join(workspace, 'empty'), { recursive: true });
  write('new/file', 'x');
  mkdirSync(join(workspace, 'new/empty'));
  await snapshots.restore(tree);

  assert.equal(read('a.txt'), 'one');
  assert.equal(read('deep/er/b.sh'), 'run');
  assert.equal(lstatSync(join(workspace, 'deep/er/b.sh')).mode & 0o111, 0o111);
  assert.equal(readlinkSync(join(workspace, 'link')), 'a.txt');
  assert.deepEqual(readdirSync(workspace).toSorted(), ['a.txt', 'deep', 'empty', 'link']);
  assert.deepEqual(readdirSync(join(workspace, 'empty')), ['inner']);
  assert.equal((await snapshots.capture()).tree, tree);
});

test('an unchanged folder has the same snapshot, also for another process', async () => {
  const { workspace, store, snapshots, write } = createRoom();
  write('a', '1');
  const { tree } = await snapshots.capture();
  assert.equal((await snapshots.capture()).tree, tree);
  assert.equal((await openSnapshots(store, workspace, 'other').capture()).tree, tree);
});

test('a commit of the user’s repository is taken back with its files', async () => {
  const { snapshots, write, git } = createRoom();
  git('init', '-q', '-b', 'main');
  write('a', '1');
  git('add', '-A');
  git('commit', '-qm', 'first');
  const { tree } = await snapshots.capture();
  write('a', '2');
  git('commit', '-qam', 'second');
  git('branch', 'other');
  await snapshots.restore(tree);
  assert.equal(git('log', '--format=%s').trim(), 'first');
  assert.equal(git('status', '--porcelain'), '');
  assert.equal(git('branch', '--list', 'other'), '');
  git('fsck', '--strict');
});

test('repositories inside are snapshots of their own and are never renamed', async () => {
  const { workspace, snapshots, write, read, git } = createRoom();
  git('init', '-q');
  git('init', '-q', 'vendor/lib');
  write('vendor/lib/x', '1');
  git('-C', 'vendor/lib', 'add', '-A');
  git('-C', 'vendor/lib', 'commit', '-qm', 'lib');
  const { tree } = await snapshots.capture();
  write('vendor/lib/x', '2');
  write('vendor/lib/y', 'new');
  git('-C', 'vendor/lib', 'commit', '-qam', 'changed');
  git('init', '-q', 'fresh');
  write('fresh/z', 'z');
  const changed = await snapshots.capture();
  const changes = await snapshots.compare(tree, changed.tree);
  assert.deepEqual(changes.map(({ kind, path }) => `${kind} ${path}`).toSorted(), [
    'added fresh/z',
    'added vendor/lib/y',
    'changed vendor/lib/x',
  ]);
  await snapshots.restore(tree);
  assert.equal(read('vendor/lib/x'), '1');
  assert.ok(!existsSync(join(workspace, 'vendor/lib/y')));
  assert.ok(!existsSync(join(workspace, 'fresh')));
  assert.equal(git('-C', 'vendor/lib', 'log', '--format=%s').trim(), 'lib');
});

test('what git notes of a look or an index is no conflict of two sides, a commit on both is', async () => {
  const { snapshots, write, git } = createRoom();
  git('init', '-q');
  git('init', '-q', 'lib');
  for (const path of ['a', 'b', 'lib/c']) write(path, '1');
  git('add', 'a', 'b');
  git('-C', 'lib', 'add', '-A');
  for (const folder of ['.', 'lib']) git('-C', folder, 'commit', '-qm', 'first');
  const base = (await snapshots.capture()).tree;
  const side = async (path: string, commit: boolean): Promise<string> => {
    await snapshots.restore(base);
    write(path, 'changed');
    git('add', 'a', 'b');
    write('lib/.git/FETCH_HEAD', path);
    if (commit) git('commit', '-qm', path);
    return (await snapshots.capture()).tree;
  };
  const [ours, theirs] = [await side('a', false), await side('b', false)];
  const merged = await snapshots.merge({ base, ours, theirs });
  assert.ok(merged.ok);
  await snapshots.restore(merged.tree);
  assert.equal(git('status', '--porcelain', '-uno').trim(), 'M  a\n M b');
  const committed = await side('b', true);
  const joined = await snapshots.merge({ base, ours, theirs: committed });
  assert.ok(joined.ok);
  await snapshots.restore(joined.tree);
  assert.equal(git('log', '-1', '--format=%s').trim(), 'b');
  const both = await snapshots.merge({ base, ours: await side('a', true), theirs: committed });
  assert.deepEqual(both, { ok: false, paths: ['.git'] });
});

test('small ignored files are covered, dependency folders and large ignored files are named instead', async () => {
  const { workspace, snapshots, write, read } = createRoom();
  write('.gitignore', '.env\nbig.bin\nnode_modules\n');
  write('.env', 'A=1');
  write('big.bin', '');
  truncateSync(join(workspace, 'big.bin'), 65 * 1024 * 1024);
  write('pkg/node_modules/m/index.js', '1');
  write('target/CACHEDIR.TAG', 'Signature: 8a477f597d28d172789f06886806bc55');
  write('target/out', '1');
  const { tree, uncovered } = await snapshots.capture();
  assert.deepEqual(uncovered, ['big.bin', 'pkg/node_modules', 'target']);
  write('.env', 'A=2');
  write('pkg/node_modules/m/index.js', '2');
  await snapshots.restore(tree);
  assert.equal(read('.env'), 'A=1');
  assert.equal(read('pkg/node_modules/m/index.js'), '2');
  assert.ok(existsSync(join(workspace, 'big.bin')));
});

test('attributes, filters, hooks and settings of the workspace have no say', async () => {
  const { workspace, snapshots, write, read, git } = createRoom();
  git('init', '-q');
  git('config', 'filter.evil.clean', `touch ${join(root, 'ran')}; cat`);
  git('config', 'core.autocrlf', 'true');
  write('.git/hooks/post-checkout', `#!/bin/sh\ntouch ${join(root, 'ran')}\n`);
  chmodSync(join(workspace, '.git/hooks/post-checkout'), 0o755);
  write('.gitattributes', '* text=auto eol=crlf filter=evil ident\n');
  write('crlf.txt', 'a\r\n$Id$\n');
  const { tree } = await snapshots.capture();
  write('crlf.txt', 'other');
  await snapshots.restore(tree);
  assert.equal(read('crlf.txt'), 'a\r\n$Id$\n');
  assert.ok(!existsSync(join(root, 'ran')));
});

test('names that are no text survive', async () => {
  const { workspace, snapshots } = createRoom();
  const name = Buffer.concat([Buffer.from(`${workspace}/`), Buffer.from([0x66, 0xff, 0x0a])]);
  writeFileSync(name, 'odd');
  const { tree } = await snapshots.capture();
  rmSync(name);
  await snapshots.restore(tree);
  assert.equal(readFileSync(name, 'utf8'), 'odd');
});

test('what a file tool changed gives the snapshot a look at everything would give', async () => {
  const names = constantFrom('a', 'b', 'd/a', 'd/b', 'd/e/f', 'x/y', 'lib/q');
  const operations = array(record({ path: names, content: option(string({ maxLength: 5 })) }), {
    minLength: 1,
    maxLength: 12,
  });
  await checkProperty(
    asyncProperty(operations, async (list) => {
      const { workspace, snapshots, store, write, git } = createRoom();
      git('init', '-q', 'lib');
      write('d/keep', '1');
      mkdirSync(join(workspace, 'x'), { recursive: true });
      const { tree: before } = await snapshots.capture();
      let tree = before;
      for (const { path, content } of list) {
        if (content === null) rmSync(join(workspace, path), { force: true });
        else write(path, content);
        tree = await snapshots.update(tree, [path]);
      }
      const fresh = openSnapshots(store, workspace, 'fresh');
      assert.equal((await fresh.capture()).tree, tree);
      await fresh.restore(before);
      assert.equal((await snapshots.capture()).tree, before);
    }),
    { numRuns: 15 },
  );
});

test('the store is a sound git repository', async () => {
  const { workspace, store, snapshots, write } = createRoom();
  write('a', '1');
  const { tree } = await snapshots.capture();
  const commit = await snapshots.commit({ tree, message: '{"ok":true}' });
  assert.equal(snapshots.refs.create('r/1/post', commit), commit);
  write('b', '2');
  const other = await snapshots.commit(
    { tree: await snapshots.update(tree, ['b']), message: 'second' },
    commit,
  );
  // The first one stays: a ref is made once.
  assert.equal(snapshots.refs.create('r/1/post', other), commit);
  assert.deepEqual(snapshots.refs.list('r'), ['r/1/post']);
  assert.deepEqual(await snapshots.readCommit(other), {
    tree: await snapshots.update(tree, ['b']),
    message: 'second',
  });
  const [repository = ''] = readdirSync(store);
  const env = { PATH: process.env['PATH'] ?? '', GIT_DIR: join(store, repository) };
  execFileSync('git', ['fsck', '--full'], { cwd: workspace, env });
  const log = execFileSync('git', ['log', '--format=%B', commit], {
    cwd: workspace,
    env,
    encoding: 'utf8',
  });
  assert.equal(log.trim(), '{"ok":true}');
});

test('the snapshots of a deleted folder can be compared, and nothing is taken for an empty folder', async () => {
  const { workspace, snapshots, write } = createRoom();
  write('a', '1');
  const one = (await snapshots.capture()).tree;
  write('b', '2');
  const two = (await snapshots.capture()).tree;
  rmSync(workspace, { recursive: true });
  assert.deepEqual(await snapshots.compare(one, two), [{ kind: 'added', path: 'b' }]);
  assert.match(await snapshots.renderDiff(one, two), /\+2/);
  await assert.rejects(snapshots.capture());
  assert.equal(existsSync(workspace), false);
});

test('a tampered-with index or a lock left by a killed git does not keep it from working', async () => {
  const { workspace, store, snapshots, write } = createRoom();
  write('a', '1');
  const { tree } = await snapshots.capture();
  const [repository = ''] = readdirSync(store);
  writeFileSync(join(store, repository, 'index-root-files.lock'), '');
  assert.equal((await openSnapshots(store, workspace, 'again').capture()).tree, tree);
});

test('objects that a killed process left half-written go when the store is opened', async () => {
  const { workspace, store, snapshots, write } = createRoom();
  write('a.txt', 'a');
  const { tree } = await snapshots.capture();
  const [repository] = readdirSync(store).filter((name) => name.endsWith('.git'));
  const unfinished = join(store, repository ?? '', 'unfinished');
  mkdirSync(unfinished, { recursive: true });
  const { pid } = spawnSync('true');
  writeFileSync(join(unfinished, `${pid}-half.tmp`), 'blo');
  const again = openSnapshots(store, workspace, 'test');
  assert.deepEqual(readdirSync(unfinished), []);
  assert.ok(await again.has(tree));
});
