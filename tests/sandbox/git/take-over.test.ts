/** A worker that dies while it brings a command's changes over leaves a sound repository, wherever it dies. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { recoverGit } from '../../../activities/sandbox/git/recover.ts';
import { makePlace } from '../fixture.ts';

const setup = `git init -q -b main; echo a > a; git add a; git commit -qm first
git tag -am tag v1; git branch old; git pack-refs --all
git switch -qc foo; echo b > a; git commit -qam second; git branch gone`;

/** A branch becomes a folder of branches, others come and go, some are packed: each in a place of its own. */
const command = `git branch -m foo foo/bar; echo c > c; git add c; git commit -qm third
git branch -D -q gone; git branch -m old older; git config user.name agent; git switch -qc next
echo d > d; git add d; git commit -qm fourth; git tag -am tag v2; git pack-refs --all; git branch last`;

const guard = new URL('../../../activities/sandbox/git/guard.ts', import.meta.url).href;

/** Does the command's work in the copy of the git folder, as in a sandbox, and settles. */
const toWorker = (root: string, folder: string): string => `
  import { execFileSync } from 'node:child_process';
  import { openGitGuard } from '${guard}';
  const guard = await openGitGuard({ root: '${root}', folder: '${folder}', canMount: true });
  const { mounts } = await guard.cover();
  const env = {
    ...process.env,
    GIT_DIR: mounts[0].source,
    GIT_WORK_TREE: '${root}',
    GIT_OBJECT_DIRECTORY: '${root}/.git/objects',
  };
  execFileSync('/bin/sh', ['-ec', ${JSON.stringify(command)}], { cwd: '${root}', env });
  await guard.settle();
  guard.close();`;

test('a repository is sound after a death at any point of the way', async (context) => {
  const place = makePlace(context);
  const points = join(place.out, 'points');
  mkdirSync(points);
  const env = {
    PATH: process.env['PATH'],
    HOME: place.out,
    GIT_CONFIG_NOSYSTEM: '1',
    AGENT_FAILPOINTS: points,
  };
  writeFileSync(join(place.out, '.gitconfig'), '[user]\n\tname = o\n\temail = o@o\n');
  const sh = (text: string, cwd: string) => {
    const { status, stdout, stderr } = spawnSync('/bin/sh', ['-ec', text], {
      cwd,
      env,
      encoding: 'utf8',
    });
    return { status, stdout, stderr };
  };
  sh(setup, place.root);
  let isCut = true;
  for (let passes = 0; isCut; passes += 1) {
    const root = join(place.out, `ws-${passes}`);
    const folder = join(place.state, `git-${passes}`);
    cpSync(place.root, root, { recursive: true, preserveTimestamps: true });
    writeFileSync(join(points, 'take-over'), String(passes));
    const program = toWorker(root, folder);
    const worker = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      env,
      encoding: 'utf8',
    });
    isCut = existsSync(join(points, 'take-over.hit'));
    if (isCut) sh('rm take-over.hit', points);
    else assert.equal(worker.status, 0, worker.stderr);
    const at = `after ${passes} passes`;
    const check =
      'git fsck --no-dangling --no-progress && git status >/dev/null && git rev-parse -q --verify HEAD >/dev/null';
    assert.deepEqual(sh(check, root), { status: 0, stdout: '', stderr: '' }, at);
    const { stdout: subjects } = sh('git log --all --topo-order --format=%s', root);
    assert.match(subjects, /second\nfirst\n$/, at);
    await recoverGit({ root, folder });
    assert.doesNotMatch(readdirSync(join(root, '.git')).join(), /dev-agent|\.disarmed/, at);
    if (isCut) continue;
    assert.ok(passes > 20, `it was cut ${passes} times`);
    assert.equal(
      sh(
        'git for-each-ref --format="%(refname:short)"; git branch --show-current; git status --porcelain; git log -1 --format=%s',
        root,
      ).stdout,
      'foo/bar\nlast\nmain\nnext\nolder\nv1\nv2\nnext\nfourth\n',
    );
    assert.match(readFileSync(join(root, '.git/packed-refs'), 'utf8'), /^# pack-refs .*sorted/);
  }
});
