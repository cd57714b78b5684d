/** Ordinary work with git in the sandbox has its effect, and stays as the command left it. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { openGitGuard } from '../../../activities/sandbox/git/guard.ts';
import { recoverGit } from '../../../activities/sandbox/git/recover.ts';
import { makePlace, makeShell, script } from '../fixture.ts';
import type { Place } from '../fixture.ts';

interface Work {
  readonly name: string;
  /** Done by the operator before. */
  readonly setup?: string;
  /** Run in the sandbox one after another. */
  readonly lines: readonly string[];
  /** What the operator runs afterwards, and prints. */
  readonly look: string;
  readonly shows: string;
}

const local = 'git -c protocol.file.allow=always';

const work: readonly Work[] = [
  {
    name: 'commits, branches and tags',
    lines: [
      'echo b > b && git add b && git commit -qm second',
      'git switch -qc side && echo c > c && git add c && git commit -qm third && git tag v1',
    ],
    look: 'git log --format=%s; git branch --show-current; git tag; git status --porcelain; git fsck',
    shows: 'third\nsecond\nfirst\nside\nv1\n',
  },
  {
    name: 'a branch that becomes a folder of branches, and back',
    lines: [
      'git switch -qc foo && git branch -m foo foo/bar',
      'echo b > b && git add b && git commit -qm second && git branch -m foo/bar foo',
      'git branch feature/x && git branch -D feature/x -q && git branch feature',
    ],
    look: 'git branch --show-current; git log --format=%s; git branch --format="%(refname:short)"; git status --porcelain; git fsck',
    shows: 'foo\nsecond\nfirst\nfeature\nfoo\nmain\n',
  },
  {
    name: 'a merge with a conflict, over two commands',
    lines: [
      'git switch -qc side && echo b > a && git commit -qam side && git switch -q main && echo c > a && git commit -qam main && ! git merge -q side >/dev/null',
      'echo bc > a && git commit -qam merged',
    ],
    look: 'git log --format=%s -1; git rev-list --count HEAD; git status --porcelain',
    shows: 'merged\n4\n',
  },
  {
    name: 'a stash, and a rebase over two commands',
    lines: [
      'echo s >> a && git stash -q && git switch -qc side && echo b > a && git commit -qam side && git switch -q main && echo c > a && git commit -qam main && git switch -q side && ! git rebase -q main 2>/dev/null',
      'echo bc > a && git add a && GIT_EDITOR=true git rebase --continue >/dev/null 2>&1; git stash list | wc -l',
    ],
    look: 'git log --format=%s; git stash list | wc -l; ls -d .git/rebase-merge 2>/dev/null',
    shows: 'side\nmain\nfirst\n1\n',
  },
  {
    name: 'settings of a person, a branch and a new remote',
    setup: 'git config core.pager less; printf "# mine\\n" >> .git/config',
    lines: [
      'git config user.name agent && git remote add up https://example.com/x.git && git config branch.main.remote up && git config branch.main.merge refs/heads/main',
    ],
    look: 'git config user.name; git remote get-url up; git config branch.main.merge; git config core.pager; grep -c "# mine" .git/config',
    shows: 'agent\nhttps://example.com/x.git\nrefs/heads/main\nless\n1\n',
  },
  {
    name: 'settings beside some that commands do not see',
    setup: 'git config core.sshCommand mine; printf "# mine\\n" >> .git/config',
    lines: ['git config user.name agent; git config core.sshCommand'],
    look: 'git config user.name; git config core.sshCommand; grep -c "# mine" .git/config',
    shows: 'agent\nmine\n1\n',
  },
  {
    name: 'new repositories, cloned, moved and removed',
    lines: [
      'git init -q new && cd new && git config user.email x@x && echo n > n && git add n && git commit -qm n',
      'git clone -q new copy && git init -q --bare bare.git && git -C copy push -q ../bare.git HEAD:main && mv new moved && git init -q gone',
      'rm -rf gone && cd copy && echo m > m && git add m && git commit -qm m',
    ],
    look: 'git -C moved log --format=%s; git -C copy log --format=%s; git -C copy remote get-url origin | sed "s|$PWD/||"; git -C bare.git log --format=%s main; ls -d gone 2>/dev/null; find . -name "*.disarmed"',
    shows: 'n\nm\nn\nnew\nn\n',
  },
  {
    name: 'a linked work tree, made and taken away',
    lines: [
      'git worktree add -q side 2>/dev/null && cd side && echo s > s && git add s && git commit -qm side',
      'git worktree add -q other 2>/dev/null && git worktree remove other',
    ],
    look: 'git -C side log --format=%s; git -C side status --porcelain; git worktree list | wc -l',
    shows: 'side\nfirst\n2\n',
  },
  {
    name: 'a submodule, made, worked in and moved',
    setup: 'git init -q lib; echo l > lib/l; git -C lib add l; git -C lib commit -qm l',
    lines: [
      `${local} submodule --quiet add ./lib deps/lib 2>&1 && git commit -qm with`,
      'cd deps/lib && echo m > l && git commit -qam m && cd ../.. && git commit -qam newer && git mv deps/lib deps/other && git commit -qm moved',
    ],
    look: 'git log --format=%s; git -C deps/other log --format=%s; git submodule status | cut -c1; git status --porcelain -uno',
    shows: 'moved\nnewer\nwith\nfirst\nm\nl\n \n',
  },
  {
    name: 'packing and clearing up',
    lines: [
      'for i in 1 2 3; do echo $i > a; git commit -qam $i; done; git gc -q; git pack-refs --all',
    ],
    look: 'git log --format=%s; git fsck; git count-objects -v | grep ^packs',
    shows: '3\n2\n1\nfirst\npacks: 1\n',
  },
  {
    name: 'a sparse checkout',
    setup: 'mkdir d e; echo d > d/d; echo e > e/e; git add -A; git commit -qm dirs',
    lines: ['git status >/dev/null; git sparse-checkout set d'],
    look: 'ls; git status --porcelain; git sparse-checkout list',
    shows: 'a\nd\nd\n',
  },
  {
    name: 'a hundred repositories made by a test',
    lines: [
      'for i in $(seq 100); do git init -q t/$i; git -C t/$i config user.name t$i; done',
      'git -C t/7 config user.name; rm -rf t',
    ],
    look: 'ls; git status --porcelain',
    shows: 'a\n',
  },
  {
    name: 'a project that is no repository, though its folders have such names',
    lines: [
      'mkdir -p x/objects x/refs x/hooks && echo 1 > x/config && echo 2 > x/hooks/use.ts && echo 3 > x/description',
    ],
    look: 'cat x/config x/hooks/use.ts x/description',
    shows: '1\n2\n3\n',
  },
];

function createSh({ root, out }: Place): (text: string, cwd?: string) => string {
  const env = { PATH: process.env['PATH'], HOME: out, GIT_CONFIG_NOSYSTEM: '1' };
  writeFileSync(
    join(out, '.gitconfig'),
    '[user]\n\tname = o\n\temail = o@o\n[init]\n\tdefaultBranch = main\n',
  );
  return (text, cwd = root) =>
    spawnSync('/bin/sh', ['-c', text], { cwd, env, encoding: 'utf8' }).stdout;
}

suite('what stays is', () => {
  for (const { name, setup = '', lines, look, shows } of work)
    test(name, async (context: TestContext) => {
      const place = makePlace(context);
      const sh = createSh(place);
      sh(`git init -q; echo a > a; git add a; git commit -qm first; ${setup}`);
      const shell = await makeShell(place);
      if (shell.sandbox.kind !== 'bubblewrap') return context.skip('there is no sandbox here');
      let said = '';
      for (const line of lines) {
        const { text, exitCode } = await shell(
          script(`git config --global init.defaultBranch >/dev/null; ${line}`),
        );
        said += text;
        assert.ok(exitCode === 0 || /config core\.sshCommand/.test(line), `${line}: ${text}`);
      }
      assert.equal(sh(look), shows, said);
      assert.doesNotMatch(said, /\.disarmed/);
    });
});

const setting = (run: string): string => `[core]\n\tfsmonitor = ${run}\n`;

test('while a command is at work, nothing of what it does to a git folder is there for others', async (context) => {
  const place = makePlace(context);
  const sh = createSh(place);
  sh('git init -q; echo a > a; git add a; git commit -qm first; git init -q nested');
  const shell = await makeShell(place);
  if (shell.sandbox.kind !== 'bubblewrap') return context.skip('there is no sandbox here');
  const mark = join(place.out, 'mark');
  writeFileSync(join(place.root, 'run.sh'), `#!/bin/sh\ntouch '${mark}'\n`, { mode: 0o755 });
  const evil = setting(`${place.root}/run.sh`);
  const running = shell(
    script(
      `mkdir -p c/objects c/refs; printf '${evil}' > c/config; echo ../c > .git/commondir; printf '${evil}' >> .git/config; mv nested other; printf '${evil}' >> other/.git/config; touch ready; sleep 3`,
    ),
  );
  const ready = join(place.root, 'ready');
  for (const end = Date.now() + 20_000; !existsSync(ready) && Date.now() < end;)
    await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(existsSync(ready), 'the command has come so far');
  sh('git status; git diff; git -C other status');
  assert.equal(existsSync(mark), false);
  await running;
  sh('git status; git diff; git -C other status');
  assert.equal(existsSync(mark), false);
});

/** Opens a guard in a process of its own, which is killed before it settles. */
function openAndDie(root: string, folder: string): void {
  const module = new URL('../../../activities/sandbox/git/guard.ts', import.meta.url).href;
  const program = `import { openGitGuard } from '${module}';
    await openGitGuard({ root: ${JSON.stringify(root)}, folder: ${JSON.stringify(folder)}, canMount: true });
    process.kill(process.pid, 'SIGKILL');`;
  spawnSync(process.execPath, ['--input-type=module', '-e', program]);
}

test('what a killed worker’s command has left is disarmed before anything else is done', async (context) => {
  const { root, state } = makePlace(context);
  const folder = join(state, 'git');
  execFileSync('git', ['init', '-q', root]);
  execFileSync('git', ['-C', root, 'config', 'core.fsmonitor', './mine']);
  openAndDie(root, folder);
  mkdirSync(join(root, 'node_modules'));
  execFileSync('git', ['init', '-q', join(root, 'node_modules/x')]);
  execFileSync('git', ['-C', join(root, 'node_modules/x'), 'config', 'core.fsmonitor', './evil']);
  const found = await recoverGit({ root, folder });
  assert.equal(found.length, 1);
  assert.match(found[0] ?? '', /^node_modules\/x\/\.git\/config .*core\.fsmonitor/);
  assert.doesNotMatch(readFileSync(join(root, 'node_modules/x/.git/config'), 'utf8'), /evil/);
  assert.match(readFileSync(join(root, '.git/config'), 'utf8'), /mine/);
  assert.deepEqual(await recoverGit({ root, folder }), []);
});

test('what a killed worker’s command has done to the operator’s own git folders is judged by how they were', async (context) => {
  const place = makePlace(context);
  const { root, out, state } = place;
  const folder = join(state, 'git');
  const sh = createSh(place);
  // `bare` has a file of the project’s: commands write to it itself.
  sh('git init -q; git init -q other; git init -q --bare bare; touch bare/mine.txt');
  sh('git -C bare config core.fsmonitor ./mine; git config include.path ../more.inc');
  sh(`mkdir other/.git/objects/ab; ln -s '${out}' other/.git/objects/ab/mine`);
  sh(`echo '${out}' > other/.git/objects/info/alternates`);
  openAndDie(root, folder);
  sh(`ln -s '${out}' .git/objects/ab; echo '${out}' > .git/objects/info/alternates`);
  sh('git -C bare config core.sshCommand ./evil; echo evil > bare/hooks/post-commit');
  sh('echo "[core]\nfsmonitor = ./evil" > more.inc');
  const found = await recoverGit({ root, folder });
  assert.deepEqual(found.map((line) => line.replace(/ \(.*/, '')).toSorted(), [
    '.git/objects/ab',
    '.git/objects/info/alternates',
    'bare/config',
    'bare/hooks/post-commit',
    'more.inc',
  ]);
  assert.equal(
    sh('git -C bare config --list | grep -E "fsmonitor|sshcommand"'),
    'core.fsmonitor=./mine\n',
  );
  assert.ok(existsSync(join(root, 'other/.git/objects/info/alternates')));
  assert.ok(existsSync(join(root, 'other/.git/objects/ab/mine')));
});

test('no command begins while it cannot be told what a killed one has left', async (context) => {
  const { root, state } = makePlace(context);
  const options = { root, folder: join(state, 'git'), canMount: true };
  openAndDie(root, options.folder);
  execFileSync('git', ['init', '-q', join(root, 'x')]);
  execFileSync('git', ['-C', join(root, 'x'), 'config', 'core.fsmonitor', './evil']);
  nestTooDeep(root);
  await assert.rejects(openGitGuard(options), /nested too deep/);
  execFileSync('rm', ['-rf', 'd'.repeat(200)], { cwd: root });
  const guard = await openGitGuard(options);
  context.after(() => guard.close());
  assert.match((await guard.settle()).join(), /^x\/\.git\/config .*core\.fsmonitor/);
});

function nestTooDeep(root: string): void {
  const program = 'import os\nfor i in range(200):\n  os.mkdir("d" * 200)\n  os.chdir("d" * 200)';
  execFileSync('python3', ['-c', program], { cwd: root });
}

test('what cannot be looked into to its end is no clean bill', async (context) => {
  const { root, state } = makePlace(context);
  const guard = await openGitGuard({ root, folder: join(state, 'git'), canMount: false });
  context.after(() => guard.close());
  nestTooDeep(root);
  await assert.rejects(guard.settle(), /nested too deep/);
  execFileSync('rm', ['-rf', 'd'.repeat(200)], { cwd: root });
  assert.deepEqual(await guard.settle(), []);
});

test('more git folders than can be checked after every command are refused, with the reason', async (context) => {
  const { root, state } = makePlace(context);
  const guard = await openGitGuard({ root, folder: join(state, 'git'), canMount: false });
  context.after(() => guard.close());
  for (let index = 0; index <= 5_000; index += 1)
    mkdirSync(join(root, `many/${index}/.git`), { recursive: true });
  await assert.rejects(guard.settle(), {
    name: 'GitCheckFailed',
    message: /more than 5000\. Remove/,
  });
  rmSync(join(root, 'many/0'), { recursive: true });
  assert.deepEqual(await guard.settle(), []);
});
