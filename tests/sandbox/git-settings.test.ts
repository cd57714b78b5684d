/** Settings with which a workspace's git would start programs: named, and without effect wherever git is run for the agent. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { findRiskySettings, writeSafeSettings } from '../../activities/sandbox/git/git-settings.ts';
import { openSnapshots } from '../../activities/snapshots/snapshots.ts';
import { makePlace, makeShell, script } from './fixture.ts';
import type { Place } from './fixture.ts';

/** A program for every way git has to start one; each leaves its name in `canary`. */
function plantTraps({ root }: Place): (...args: string[]) => string {
  const git = (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  git('init', '-q', '-b', 'main');
  writeFileSync(join(root, 'a.txt'), 'one\n');
  writeFileSync(join(root, '.gitattributes'), '*.txt diff=trap filter=trap merge=trap\n');
  git('add', '-A');
  git('commit', '-qm', 'first');
  const trap = (name: string): string => {
    const file = join(root, '.git', `${name}.sh`);
    writeFileSync(file, `#!/bin/sh\necho ${name} >> '${join(root, 'canary')}'\ncat 2>/dev/null\n`);
    chmodSync(file, 0o755);
    return file;
  };
  const hooks = join(root, '.git', 'traps');
  mkdirSync(hooks);
  for (const hook of [
    'pre-commit',
    'post-commit',
    'post-checkout',
    'post-index-change',
    'reference-transaction',
  ])
    writeFileSync(
      join(hooks, hook),
      `#!/bin/sh\necho hook ${hook} >> '${join(root, 'canary')}'\n`,
      { mode: 0o755 },
    );
  writeFileSync(join(root, '.git', 'more'), `[diff "trap"]\n\ttextconv = ${trap('included')}\n`);
  const settings: Readonly<Record<string, string>> = {
    'core.fsmonitor': trap('fsmonitor'),
    'core.hooksPath': hooks,
    'core.pager': trap('pager'),
    'core.editor': trap('editor'),
    'core.sshCommand': trap('ssh'),
    'diff.external': trap('external'),
    'diff.trap.command': trap('command'),
    'filter.trap.clean': trap('clean'),
    'filter.trap.smudge': trap('smudge'),
    'filter.trap.required': 'true',
    'merge.trap.driver': trap('merge'),
    'gpg.program': trap('gpg'),
    'commit.gpgSign': 'true',
    'alias.st': `!${trap('alias')}`,
    'alias.lg': 'log --oneline',
    'include.path': 'more',
    'credential.https://example.com.helper': `!${trap('helper')}`,
    'url.ext::sh.insteadOf': 'https://example.com/',
    'remote.origin.url': 'https://example.com/x "y"\\z',
    'remote.origin.uploadpack': trap('uploadpack'),
    'protocol.ext.allow': 'always',
  };
  for (const [key, value] of Object.entries(settings)) git('config', key, value);
  writeFileSync(join(root, 'a.txt'), 'two\n');
  return git;
}

const expected = [
  'alias.st',
  'core.editor',
  'core.fsmonitor',
  'core.hookspath',
  'core.pager',
  'core.sshcommand',
  'credential.https://example.com.helper',
  'diff.external',
  'diff.trap.command',
  'filter.trap.clean',
  'filter.trap.smudge',
  'gpg.program',
  'include.path',
  'merge.trap.driver',
  'protocol.ext.allow',
  'remote.origin.uploadpack',
  'url.ext::sh.insteadof',
];

const canaryOf = ({ root }: Place): string =>
  existsSync(join(root, 'canary')) ? readFileSync(join(root, 'canary'), 'utf8') : '';

test('the traps work: git by hand falls into them', (context: TestContext) => {
  const place = makePlace(context);
  const git = plantTraps(place);
  git('status');
  assert.match(canaryOf(place), /fsmonitor/);
  rmSync(join(place.root, 'canary'));
  git('config', '--unset', 'core.fsmonitor');
  git('diff');
  assert.match(canaryOf(place), /clean|command|included/);
});

suite('settings are read as git reads them', () => {
  test('what starts programs or leads elsewhere is named, the rest is kept', async (context) => {
    const place = makePlace(context);
    const git = plantTraps(place);
    const [found, ...more] = await findRiskySettings(place.root, ['.git']);
    assert.deepEqual(more, []);
    assert.equal(found?.file, '.git/config');
    assert.deepEqual(found?.keys, expected);
    const safe = writeSafeSettings(join(place.state, 'safe'), found === undefined ? [] : [found]);
    const list = (file: string): string[] =>
      git('config', '--file', file, '--list', '--no-includes').trim().split('\n').toSorted();
    const gone = [...expected, 'filter.trap.required'];
    const names = new Set(gone.map((key) => key.toLowerCase()));
    assert.deepEqual(
      list(safe.get('.git/config') ?? ''),
      list(join(place.root, '.git/config')).filter(
        (line) => !names.has(line.slice(0, line.indexOf('=')).toLowerCase()),
      ),
    );
  });

  for (const [name, text] of [
    ['a plain one', '[core]\n\tbare = false\n[user]\n\tname = x\n'],
    [
      'git lfs as it installs itself',
      '[filter "lfs"]\n\tclean = git-lfs clean -- %f\n\tsmudge = git-lfs smudge -- %f\n\tprocess = git-lfs filter-process\n\trequired = true\n',
    ],
    ['switched off', '[core]\n\tfsmonitor = false\n\tpager = cat\n[alias]\n\tst = status\n'],
  ] as const)
    test(`nothing is risky in ${name}`, async (context) => {
      const { root } = makePlace(context);
      mkdirSync(join(root, '.git'));
      writeFileSync(join(root, '.git/config'), text);
      assert.deepEqual(await findRiskySettings(root, ['.git']), []);
    });

  for (const [name, text] of [
    ['joined lines and case', '[CORE] FSMonitor = \\\n  "./x"\n'],
    ['behind a comment sign in quotes', '[core]\n\tpager = "#" # x\n'],
    ['the old way to write a subsection', '[filter.x]\n\tclean = ./x\n'],
    ['a name that imitates lfs', '[filter "lfs"]\n\tclean = ./git-lfs clean -- %f\n'],
  ] as const)
    test(`found: ${name}`, async (context) => {
      const { root } = makePlace(context);
      mkdirSync(join(root, '.git'));
      writeFileSync(join(root, '.git/config'), text);
      assert.equal((await findRiskySettings(root, ['.git'])).length, 1);
    });

  test('what git cannot read, or is no file, is named as such and looked at without waiting', async (context) => {
    const { root } = makePlace(context);
    for (const [name, plant] of [
      ['broken', (file: string) => writeFileSync(file, '[core\n')],
      ['fifo', (file: string) => execFileSync('mkfifo', [file])],
      ['link', (file: string) => symlinkSync('/etc/hostname', file)],
    ] as const) {
      mkdirSync(join(root, name));
      plant(join(root, name, 'config'));
      assert.deepEqual(await findRiskySettings(root, [name]), [
        { file: `${name}/config`, isLink: name === 'link', keys: [], rest: '' },
      ]);
    }
  });

  test('a change is seen', async (context) => {
    const { root } = makePlace(context);
    mkdirSync(join(root, '.git'));
    writeFileSync(join(root, '.git/config'), '[core]\n\tbare = false\n');
    assert.deepEqual(await findRiskySettings(root, ['.git']), []);
    writeFileSync(join(root, '.git/config'), '[core]\n\tbare = false\n\tsshCommand = ./x\n');
    assert.deepEqual((await findRiskySettings(root, ['.git']))[0]?.keys, ['core.sshcommand']);
  });
});

test('no command falls into a trap, not even one that only a shell can run', async (context) => {
  const place = makePlace(context);
  plantTraps(place);
  const run = await makeShell(place);
  if (run.sandbox.kind !== 'bubblewrap') return context.skip('there is no sandbox here');
  for (const line of [
    'git status',
    'git diff',
    'git log -p --textconv',
    'git show --ext-diff HEAD',
    'git blame --textconv a.txt',
    'git add a.txt',
    'git commit --no-gpg-sign -m second',
    'git checkout -q -b other',
    'git stash list',
    'git lg',
    'git cat-file --filters HEAD:a.txt',
  ]) {
    const { exitCode, text } = await run(line);
    assert.equal(exitCode, 0, `${line}: ${text}`);
    assert.equal(canaryOf(place), '', line);
  }
  const nested = script(
    'mkdir -p sub/deep && cd sub/deep && git status --porcelain; git st; git -p log; echo >> ../../a.txt; git commit --no-gpg-sign -qam third; true',
  );
  assert.equal((await run(nested)).exitCode, 0);
  assert.equal(canaryOf(place), '');
  const { text } = await run('git config --get remote.origin.url', { readOnly: true });
  assert.match(text, /https:\/\/example\.com\/x "y"\\z/);
});

test('a git folder whose settings are a link is none for commands', async (context) => {
  const place = makePlace(context);
  const git = plantTraps(place);
  const config = join(place.root, '.git/config');
  renameSync(config, join(place.root, 'evil'));
  symlinkSync('../evil', config);
  git('-c', 'core.fsmonitor=false', 'rev-parse', 'HEAD');
  const run = await makeShell(place);
  if (run.sandbox.kind !== 'bubblewrap') return context.skip('there is no sandbox here');
  assert.match((await run('git status')).text, /not a git repository/);
  assert.equal(canaryOf(place), '');
});

test('snapshots fall into none either', async (context) => {
  const place = makePlace(context);
  const git = plantTraps(place);
  mkdirSync(join(place.root, 'inner'));
  execFileSync('cp', ['-r', join(place.root, '.git'), join(place.root, 'inner', '.git')]);
  writeFileSync(join(place.root, 'inner/b.txt'), 'b\n');
  const snapshots = openSnapshots(join(place.state, 'snapshots'), place.root, 'test');
  const before = await snapshots.capture();
  writeFileSync(join(place.root, 'a.txt'), 'three\n');
  writeFileSync(join(place.root, 'inner/b.txt'), 'bb\n');
  const after = await snapshots.capture();
  await snapshots.compare(before.tree, after.tree);
  await snapshots.restore(before.tree);
  assert.equal(readFileSync(join(place.root, 'a.txt'), 'utf8'), 'two\n');
  assert.equal(canaryOf(place), '');
  assert.equal(git('config', 'core.fsmonitor').trim(), join(place.root, '.git/fsmonitor.sh'));
});
