/** What git's own files may hold, and what not, by themselves. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { isSoundIndex } from '../../../activities/sandbox/git/index-file.ts';
import {
  applySettings,
  judgeSettings,
  parseSettings,
} from '../../../activities/sandbox/git/settings.ts';
import { fits, shapeOf } from '../../../activities/sandbox/git/shape.ts';
import { makePlace } from '../fixture.ts';

const inside = { isInside: (path: string) => !path.startsWith('/'), isWorkTree: () => false };

async function judge(before: string, after: string): Promise<readonly string[]> {
  const [old, fresh] = [
    await parseSettings(Buffer.from(before)),
    await parseSettings(Buffer.from(after)),
  ];
  return judgeSettings(old ?? [], fresh ?? [], inside).refused;
}

suite('settings', () => {
  const origin =
    '[remote "origin"]\n\turl = https://example.com/x\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n';
  for (const [name, before, after, refused] of [
    [
      'what git init writes',
      '',
      '[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n',
      [],
    ],
    [
      'what git clone writes',
      '',
      `${origin}[branch "main"]\n\tremote = origin\n\tmerge = refs/heads/main\n`,
      [],
    ],
    [
      'a branch that follows a known remote',
      origin,
      `${origin}[branch "x"]\n\tremote = origin\n\tmerge = refs/heads/x\n\trebase = true\n`,
      [],
    ],
    [
      'a remote of scp’s form and one in the workspace',
      '',
      '[remote "a"]\n\turl = git@example.com:x/y.git\n[remote "b"]\n\turl = ../b\n',
      [],
    ],
    [
      'dots, quotes and brackets in names',
      '',
      '[branch "a.b \\"c]"]\n\tmerge = refs/heads/x\n',
      [],
    ],
    ['a helper for an address', '', '[remote "a"]\n\turl = ext::sh -c x\n', ['remote.a.url']],
    [
      'an address that is an option',
      '',
      '[remote "a"]\n\turl = -oProxyCommand=x\n[remote "b"]\n\turl = ssh://-oProxyCommand=x/y\n',
      ['remote.a.url', 'remote.b.url'],
    ],
    [
      'a folder outside',
      '',
      '[remote "a"]\n\turl = /etc\n[remote "b"]\n\turl = file:///etc\n[remote "c"]\n\turl = file://etc\n',
      ['remote.a.url', 'remote.b.url', 'remote.c.url'],
    ],
    [
      'another address for a known remote',
      origin,
      origin.replace('example.com', 'evil.example'),
      ['remote.origin.url'],
    ],
    [
      'one more address for a known remote',
      origin,
      `${origin}[remote "origin"]\n\tpushurl = https://evil.example\n`,
      ['remote.origin.pushurl'],
    ],
    [
      'a known branch that follows a new remote',
      `${origin}[branch "main"]\n\tremote = origin\n`,
      `${origin}[remote "evil"]\n\turl = https://evil.example\n[branch "main"]\n\tremote = evil\n`,
      ['branch.main.remote'],
    ],
    [
      'signatures switched off',
      '[commit]\n\tgpgSign = true\n',
      '[commit]\n\tgpgSign = false\n',
      ['commit.gpgsign'],
    ],
    [
      'hooks switched off',
      '[core]\n\thooksPath = .husky/_\n',
      '[core]\n\thooksPath = /dev/null\n',
      ['core.hookspath'],
    ],
    ['a safeguard taken away', '[transfer]\n\tfsckObjects = true\n', '', ['transfer.fsckobjects']],
    [
      'a merge with a strategy of its own',
      '',
      '[branch "x"]\n\tmergeoptions = -s ../../x\n',
      ['branch.x.mergeoptions'],
    ],
    ['a name git has not heard of', '', '[future]\n\tprogram = x\n', ['future.program']],
  ] as const)
    test(name, async () => assert.deepEqual(await judge(before, after), refused));

  test('a text without any section is none', async () =>
    assert.equal(await parseSettings(Buffer.from('fsmonitor = x\n')), undefined));

  test('what changes is put into the person’s own text', async () => {
    const text = Buffer.from('# mine\n[core]\n\tpager = less # always\n[user]\n\tname = a\n');
    const before = await parseSettings(text);
    const after = [
      ...(before ?? []).filter(({ key }) => key !== 'user.name'),
      { key: 'user.name', value: '--b "c"' },
    ];
    const changed = await applySettings(text, before ?? [], after);
    assert.match(changed?.toString() ?? '', /^# mine\n\[core\]\n\tpager = less # always\n/);
    assert.deepEqual(await parseSettings(changed ?? Buffer.alloc(0)), after);
  });
});

suite('an index', () => {
  for (const version of ['2', '3', '4'])
    test(`of version ${version} is read as git wrote it`, (context) => {
      const { root } = makePlace(context);
      const git = (...args: string[]) => execFileSync('git', args, { cwd: root });
      git('init', '-q');
      mkdirSync(join(root, 'folder/deep'), { recursive: true });
      for (const name of ['a', 'folder/b', 'folder/deep/c', 'späß', '.gitignore', 'x.git'])
        writeFileSync(join(root, name), name);
      git('add', '-A');
      if (version === '3') git('add', '-N', '.');
      git('update-index', '--index-version', version);
      const index = readFileSync(join(root, '.git/index'));
      assert.equal(isSoundIndex(index, 'sha1'), true);
      for (const [from, to] of [
        ['folder/b', '.git/conf'.slice(0, 8)],
        ['.gitignore', '.git/nores'],
      ] as const) {
        const at = index.indexOf(from);
        if (at === -1) continue;
        const astray = Buffer.from(index);
        astray.write(to, at);
        assert.equal(isSoundIndex(astray, 'sha1'), false, to);
      }
    });

  for (const format of ['sha1', 'sha256'] as const)
    test(`of many files in a ${format} repository is sound, and not if threads would start elsewhere`, (context) => {
      const { root } = makePlace(context);
      const git = (...args: string[]) =>
        execFileSync('git', ['-c', 'index.threads=2', ...args], { cwd: root });
      git('init', '-q', `--object-format=${format}`);
      for (let name = 0; name < 300; name += 1) writeFileSync(join(root, `f${name}`), '');
      git('add', '-A');
      const index = readFileSync(join(root, '.git/index'));
      assert.equal(isSoundIndex(index, format), true);
      const blocks = index.indexOf('IEOT');
      assert.notEqual(blocks, -1);
      const moved = Buffer.from(index);
      moved.writeUInt32BE(moved.readUInt32BE(blocks + 12) + 8, blocks + 12);
      assert.equal(isSoundIndex(moved, format), false);
    });

  test('that is cut is not sound', () =>
    assert.equal(isSoundIndex(Buffer.from('DIRC'), 'sha1'), false));
});

suite('other files', () => {
  for (const path of [
    'commondir.d',
    'config.d/x',
    'hooks/pre-commit',
    'info/attributes',
    'remotes/origin',
    'branches/x',
    'objects',
    'refs',
    'x',
    'fsmonitor--daemon.ipc',
    'rebase-merge/unknown',
    'info/c/config',
  ])
    test(`git does not make ${path} of its own accord`, () =>
      assert.equal(shapeOf(path), undefined));

  const id = '0123456789012345678901234567890123456789';
  for (const [path, text, isFit] of [
    ['HEAD', 'ref: refs/heads/main\n', true],
    ['HEAD', `${id}\n`, true],
    ['HEAD', 'ref: refs/../../x\n', false],
    ['refs/heads/main', '[core]\n', false],
    ['logs/HEAD', `${id} ${id} A <a@a> 1 +0000\tcommit: x\n`, true],
    ['logs/config', '[core]\n\tfsmonitor = x\n', false],
    ['rebase-merge/git-rebase-todo', `pick ${id} x\n# exec is a word\nfixup -C ${id}\n`, true],
    ['rebase-merge/git-rebase-todo', `pick ${id} x\nexec ./x\n`, false],
    ['rebase-merge/git-rebase-todo', 'x ./x\n', false],
    ['rebase-merge/strategy', 'ort', true],
    ['rebase-merge/strategy', '../../x', false],
    ['sequencer/opts', '[options]\n\tedit = true\n\tstrategy = ../../x\n', false],
    ['MERGE_RR', `${id}\t.git/config\0`, false],
  ] as const)
    test(`${path}: ${JSON.stringify(text)} → ${isFit}`, () => {
      const shape = shapeOf(path);
      assert.ok(shape !== undefined);
      assert.equal(fits(shape, path, text), isFit);
    });
});
