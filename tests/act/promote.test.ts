import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promote } from '../../activities/act/promote.ts';
import type { PromoteDependencies } from '../../activities/act/promote.ts';
import { openStage } from '../../activities/act/stage.ts';
import type { PromoteRequest, PromoteResult } from '../../activities/contract/promotion.ts';
import { openPromoter } from './promotion-room.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'dev-agent-promote-')));
after(() => rmSync(root, { recursive: true, force: true }));

let rooms = 0;

type Files = Readonly<Record<string, string>>;

interface Room {
  readonly target: string;
  readonly state: string;
  readonly dependencies: PromoteDependencies;
  /** Copies the target, changes the copy as a run would, and says what is to be promoted. */
  stage(changed: Files, removed?: readonly string[]): Promise<PromoteRequest>;
  promote(request: PromoteRequest, more?: Partial<PromoteRequest>): Promise<PromoteResult>;
  read(path: string): string;
  git(...args: readonly string[]): string;
  audited(): string;
}

function put(folder: string, files: Files): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}

const run = (cwd: string, args: readonly string[]): string => {
  const who = ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.org'];
  const { status, stdout, stderr } = spawnSync('git', [...who, ...args], { cwd, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout.trim();
};

async function createRoom(files: Files, repository = false): Promise<Room> {
  rooms += 1;
  const target = join(root, `w${rooms}`);
  const state = join(root, `s${rooms}`);
  put(target, files);
  const git = (...args: readonly string[]): string => run(target, args);
  if (repository) {
    git('init', '--quiet', '--initial-branch=main');
    git('config', 'user.name', 'Ann');
    git('config', 'user.email', 'ann@example.org');
    git('add', '--all');
    git('commit', '--quiet', '-m', 'Begin');
  }
  const dependencies = await openPromoter(state);
  const { transactions } = dependencies;
  after(() => dependencies.audit.close());
  return {
    target,
    state,
    dependencies,
    git,
    async stage(changed, removed = []) {
      const stage = join(state, 'staged', 'r1', 'copy');
      const place = { run: 'r1', workspace: stage, stagedFrom: target };
      assert.equal(await openStage(dependencies, place), undefined);
      const capture = () =>
        transactions.exclusive(
          stage,
          'r1',
          async ({ snapshots }) => (await snapshots.capture()).tree,
        );
      const base = await capture();
      put(stage, changed);
      for (const path of removed) rmSync(join(stage, path));
      const tree = await capture();
      await transactions.leases.release('r1');
      return { run: 'r1', by: 'ann', goal: 'Say more', target, stage, base, tree, mode: 'patch' };
    },
    promote: (request, more = {}) =>
      promote(dependencies, { ...request, ...more }, new AbortController().signal),
    read: (path) => readFileSync(join(target, path), 'utf8'),
    audited: () =>
      readdirSync(join(state, 'audit'))
        .map((name) => readFileSync(join(state, 'audit', name), 'utf8'))
        .join(''),
  };
}

const three = { 'a.txt': '1\n2\n3\n4\n5\n6\n', 'b.txt': 'b\n', 'c.txt': 'c\n' };

suite('promote as a patch', () => {
  test('brings over what was added, changed and deleted, and only that', async () => {
    const room = await createRoom(three, true);
    const head = room.git('rev-parse', 'HEAD');
    const request = await room.stage({ 'a.txt': 'new\n', 'dir/d.txt': 'd\n' }, ['b.txt']);
    assert.equal(room.read('a.txt'), three['a.txt'], 'the original is left alone until then');
    const result = await room.promote(request);
    assert.ok(result.state === 'promoted');
    assert.deepEqual(result.changes, ['a.txt', 'b.txt', 'dir/d.txt']);
    assert.equal(room.read('a.txt'), 'new\n');
    assert.equal(room.read('dir/d.txt'), 'd\n');
    assert.ok(!existsSync(join(room.target, 'b.txt')));
    assert.equal(room.git('rev-parse', 'HEAD'), head);
    assert.ok(!existsSync(request.stage), 'the copy is gone');
    assert.match(room.audited(), /"kind":"promotion".*"state":"begun".*\n.*"state":"promoted"/);
  });

  test('a second time it says that it is there already', async () => {
    const room = await createRoom(three);
    const request = await room.stage({ 'b.txt': 'more\n' });
    assert.equal((await room.promote(request)).state, 'promoted');
    writeFileSync(join(room.target, 'b.txt'), 'mine again\n');
    const again = await room.promote(request, { mode: 'commit' });
    assert.ok(again.state === 'promoted' && again.again === true && again.mode === 'patch');
    assert.equal(room.read('b.txt'), 'mine again\n');
  });

  test('a target that moved elsewhere keeps what it has, in the same file too', async () => {
    const room = await createRoom(three);
    const request = await room.stage({ 'a.txt': '1\n2\n3\n4\n5\nsix\n', 'b.txt': 'more\n' });
    put(room.target, { 'a.txt': 'one\n2\n3\n4\n5\n6\n', 'c.txt': 'mine\n', 'e.txt': 'new\n' });
    const result = await room.promote(request);
    assert.equal(result.state, 'promoted');
    assert.equal(room.read('a.txt'), 'one\n2\n3\n4\n5\nsix\n');
    assert.equal(room.read('c.txt'), 'mine\n');
    assert.equal(room.read('e.txt'), 'new\n');
  });

  test('a conflict names the files and changes nothing; without it the promotion goes through', async () => {
    const room = await createRoom(three);
    const request = await room.stage({ 'a.txt': 'theirs\n', 'b.txt': 'theirs\n', 'n.txt': 'n\n' });
    put(room.target, { 'a.txt': 'mine\n' });
    assert.deepEqual(await room.promote(request), { state: 'conflict', paths: ['a.txt'] });
    assert.equal(room.read('a.txt'), 'mine\n');
    assert.equal(room.read('b.txt'), 'b\n');
    assert.ok(!existsSync(join(room.target, 'n.txt')));
    assert.ok(existsSync(request.stage));
    assert.match(room.audited(), /"paths":\["a\.txt"\].*"state":"conflict"/);
    put(room.target, { 'a.txt': three['a.txt'] });
    assert.equal((await room.promote(request)).state, 'promoted');
    assert.equal(room.read('a.txt'), 'theirs\n');
  });

  test('a folder another run has is left alone, and the policy must say so itself', async () => {
    const room = await createRoom(three);
    const request = await room.stage({ 'a.txt': 'x\n' });
    assert.deepEqual(await room.promote(request, { by: 'policy' }), { state: 'manual' });
    const { leases } = room.dependencies.transactions;
    await leases.claim(room.target, 'open-r2', () => Promise.resolve(true));
    assert.deepEqual(await room.promote(request), { state: 'busy', run: 'open-r2' });
    const workspace = join(room.state, 'staged', 'r3', 'copy');
    const other = { run: 'r3', workspace, stagedFrom: room.target };
    const refused = await openStage(room.dependencies, other);
    assert.equal(refused?.busy, 'open-r2');
    assert.equal(room.read('a.txt'), three['a.txt']);
  });

  test('only a copy of a staged run is removed, and no folder off limits is changed', async () => {
    const room = await createRoom(three);
    const request = await room.stage({ 'a.txt': 'x\n' });
    const precious = join(root, `precious-${rooms}`);
    put(precious, { 'only.txt': 'copy' });
    const stage = join(room.state, 'staged', 'r1', 'copy');
    for (const forged of [
      precious,
      join(room.state, 'staged'),
      join(room.state, 'staged', 'r1'),
      join(stage, 'a.txt'),
      `${stage}/../../../../${basename(precious)}`,
      `${stage}/..`,
      '/',
      'staged/r1/copy',
    ]) {
      const refused = await room.promote({ ...request, stage: forged });
      assert.equal(refused.state, 'refused', forged);
      assert.match(JSON.stringify(refused), /cannot hold the copy/);
    }
    for (const target of [room.state, '/', homedir()]) {
      const refused = await room.promote({ ...request, target });
      assert.match(JSON.stringify(refused), /"state":"refused".*off limits/, target);
    }
    assert.deepEqual(readdirSync(precious), ['only.txt']);
    assert.ok(existsSync(stage));
    const place = { run: 'r1', workspace: precious, stagedFrom: room.target };
    assert.match((await openStage(room.dependencies, place))?.reason ?? '', /cannot hold/);
  });

  test('commits made in the copy are not brought over, their content is', async () => {
    const room = await createRoom(three, true);
    const request = await room.stage({});
    const stage = join(room.state, 'staged', 'r1', 'copy');
    put(stage, { 'a.txt': 'committed there\n' });
    run(stage, ['commit', '--quiet', '-am', 'There']);
    const { transactions } = room.dependencies;
    const tree = await transactions.exclusive(stage, 'r1', async ({ snapshots }) => {
      return (await snapshots.capture()).tree;
    });
    assert.equal((await room.promote({ ...request, tree })).state, 'promoted');
    assert.equal(room.git('log', '--format=%s'), 'Begin');
    assert.equal(room.git('status', '--porcelain'), 'M a.txt');
  });
});

suite('promote as a commit', () => {
  test('one commit of just these files, with goal, run and the operator’s name', async () => {
    const room = await createRoom({ ...three, '.gitignore': 'out/\n' }, true);
    const hook = join(room.target, '.git/hooks/pre-commit');
    writeFileSync(hook, '#!/bin/sh\ntouch "$PWD/ran"\nexit 1\n');
    chmodSync(hook, 0o755);
    const request = await room.stage({ 'a.txt': 'x\n', '*.txt': 'odd\n', 'out/o.txt': 'o\n' }, [
      'b.txt',
    ]);
    put(room.target, { 'c.txt': 'not yet\n', 'staged.txt': 'staged\n' });
    room.git('add', 'staged.txt');
    const goal = `Say more\n\nand why`;
    const result = await room.promote(request, { mode: 'commit', goal });
    assert.ok(result.state === 'promoted', JSON.stringify(result));
    assert.equal(result.commit, room.git('rev-parse', 'HEAD'));
    assert.equal(
      room.git('show', '--format=%an%n%B', '--name-only', 'HEAD'),
      'Ann\nSay more\n\nand why\n\nDev-Agent-Run: r1\n\n\n*.txt\na.txt\nb.txt',
    );
    assert.equal(room.git('status', '--porcelain'), 'M c.txt\nA  staged.txt');
    assert.equal(result.ignored, 1);
    assert.ok(!existsSync(join(room.target, 'out')), 'what git ignores is left out');
    assert.ok(!existsSync(join(room.target, 'ran')));
  });

  test('files with changes that are not committed are named, and nothing is done', async () => {
    const room = await createRoom(three, true);
    const request = await room.stage({ 'a.txt': '1\n2\n3\n4\n5\nsix\n' });
    put(room.target, { 'a.txt': 'one\n2\n3\n4\n5\n6\n' });
    const result = await room.promote(request, { mode: 'commit' });
    assert.ok(result.state === 'refused');
    assert.match(result.reason, /uncommitted changes: a\.txt\. Commit or stash/);
    assert.equal(room.read('a.txt'), 'one\n2\n3\n4\n5\n6\n');
  });

  test('what git refuses is taken back, files and index', async () => {
    const room = await createRoom(three, true);
    const request = await room.stage({ 'a.txt': 'x\n' });
    // In the middle of a merge git makes no commit of some files only.
    put(room.target, { '.git/MERGE_HEAD': `${room.git('rev-parse', 'HEAD')}\n` });
    const result = await room.promote(request, { mode: 'commit' });
    assert.ok(result.state === 'refused');
    assert.match(result.reason, /partial commit during a merge/);
    assert.equal(room.read('a.txt'), three['a.txt']);
    assert.equal(room.git('diff', '--cached', '--name-only'), '');
  });

  test('without a repository there is none', async () => {
    const room = await createRoom(three);
    const result = await room.promote(await room.stage({ 'a.txt': 'x\n' }), { mode: 'commit' });
    assert.ok(result.state === 'refused' && /is not a git repository/.test(result.reason));
    assert.equal(room.read('a.txt'), three['a.txt']);
  });
});

suite('promote and kill -9', () => {
  for (const [point, mode] of [
    ['promote.before', 'patch'],
    ['promote.after', 'patch'],
    ['promote.after', 'commit'],
    ['post-ref.before', 'commit'],
    ['post-ref.after', 'commit'],
  ] as const) {
    test(`killed at ${point} of a ${mode}, the next try ends with all of it, once`, async () => {
      const room = await createRoom(three, true);
      const request = { ...(await room.stage({ 'a.txt': 'x\n', 'n.txt': 'n\n' })), mode };
      await room.dependencies.audit.close();
      const failpoints = mkdtempSync(join(root, 'points-'));
      writeFileSync(join(failpoints, point), '0');
      const killed = spawnSync(
        process.execPath,
        [
          fileURLToPath(new URL('promoter.ts', import.meta.url)),
          JSON.stringify({ state: room.state, request }),
        ],
        { env: { ...process.env, AGENT_FAILPOINTS: failpoints }, encoding: 'utf8' },
      );
      assert.equal(killed.signal, 'SIGKILL', killed.stderr);
      // As if it had come half-way only.
      if (point === 'promote.after') rmSync(join(room.target, 'n.txt'));
      const result = await room.promote(request);
      assert.ok(result.state === 'promoted', JSON.stringify(result));
      assert.equal(room.read('a.txt'), 'x\n');
      assert.equal(room.read('n.txt'), 'n\n');
      const commits = mode === 'commit' ? 'Say more\nBegin' : 'Begin';
      assert.equal(room.git('log', '--format=%s'), commits);
      if (mode === 'commit') assert.equal(room.git('status', '--porcelain'), '');
    });
  }
});
