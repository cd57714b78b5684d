/** Which results bring text from outside of the project, and what is asked about once they did. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { TestContext } from 'node:test';
import { findOutside } from '../../activities/act/provenance.ts';
import { readHead } from '../../activities/files/tracked.ts';
import type { Action } from '../../policies/action.ts';
import { decide } from '../../policies/decide.ts';
import { stepUp, toUntrusted } from '../../policies/untrusted/untrusted.ts';
import { readShipped } from '../policies/cases.ts';
import { builtIn } from '../../tools/built-in.ts';

const shipped = await readShipped();
const networked = { ...shipped, networkCommands: [['npm', 'run', 'lint']] };
let runs = 0;

const git = (root: string, ...args: string[]): void => {
  const id = ['-c', 'user.name=t', '-c', 'user.email=t@localhost'];
  execFileSync('git', [...id, ...args], { cwd: root, stdio: 'ignore' });
};

/** A repository with one commit, and files that are not in it. */
async function createProject(t: TestContext, { committed = true } = {}) {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'dev-agent-origin-')));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, 'src'));
  for (const name of ['README.md', 'src/a b.ts', 'src/é.ts'])
    writeFileSync(join(root, name), 'hello\n');
  if (committed) {
    git(root, 'init', '-q');
    git(root, 'add', '.');
    git(root, 'commit', '-q', '-m', 'init');
  }
  mkdirSync(join(root, 'node_modules/x'), { recursive: true });
  for (const name of ['mail.txt', 'node_modules/x/README.md', 'src/new.ts'])
    writeFileSync(join(root, name), 'hello\n');
  runs += 1;
  const run = `r${runs}`;
  const head = (await readHead(root)) ?? '';
  const see = (tool: string, args: Action['args'], text = '', changed: string[] = []) =>
    findOutside({
      run,
      head,
      policy: networked,
      tool: builtIn.find(tool),
      action: builtIn.toAction({ tool, args, workspace: root }),
      outcome: { text, changed },
    });
  return { root, see, command: (command: string) => see('run_command', { command }) };
}

suite('text from outside of the project', () => {
  test('is what no commit had when the run began, read by file tools', async (t) => {
    const { see } = await createProject(t);
    for (const path of ['README.md', './README.md', 'src/a b.ts', 'src/é.ts', 'src/../README.md'])
      assert.equal(await see('read_file', { path }), undefined, path);
    for (const path of ['mail.txt', 'node_modules/x/README.md', 'src/new.ts'])
      assert.equal(await see('read_file', { path }), 'file', path);
    const found = 'README.md:1:hello\nsrc/a b.ts:1:hello';
    assert.equal(await see('search', { pattern: 'hello' }, found), undefined);
    assert.equal(await see('search', { pattern: 'hello' }, `${found}\nmail.txt:1:hello`), 'file');
    assert.equal(await see('list_files', { path: '.' }), undefined);
  });

  test('is what a command names, in lines and in scripts', async (t) => {
    const { root, command } = await createProject(t);
    for (const line of ['cat README.md', 'ls -la', 'npm test', 'cd src && cat "a b.ts"', 'ls src'])
      assert.equal(await command(line), undefined, line);
    for (const line of [
      'cat mail.txt',
      'cd src && cat new.ts',
      'grep -r hello node_modules',
      `cat ${root}/mail.txt`,
      'wc -l < mail.txt',
      'for f in 1 2; do cat mail.txt; done',
      'x=$(cat "mail.txt"); echo $x',
    ])
      assert.equal(await command(line), 'file', line);
  });

  test('is what came over the network or from an MCP server, whatever it says', async (t) => {
    const { see, command } = await createProject(t);
    assert.equal(await command('npm run lint'), 'network');
    assert.equal(await command('npm run build && npm run lint'), 'network');
    assert.equal(await see('mcp__docs__search', { query: 'x' }), 'mcp');
  });

  test('is not what the run wrote itself', async (t) => {
    const { see } = await createProject(t);
    assert.equal(await see('write_file', { path: 'notes.md' }, '', ['notes.md']), undefined);
    assert.equal(await see('read_file', { path: 'notes.md' }), undefined);
  });

  test('is every file of a folder without a commit', async (t) => {
    const { root, see } = await createProject(t, { committed: false });
    assert.equal(await see('read_file', { path: 'README.md' }), 'file');
    git(root, 'init', '-q');
    assert.equal(await readHead(root), undefined);
  });

  test('asks git without starting what the repository names, and without fetching', async (t) => {
    const { root, see } = await createProject(t);
    const mark = join(root, 'mark');
    writeFileSync(join(root, 'evil'), `#!/bin/sh\ntouch ${mark}\n`, { mode: 0o755 });
    for (const [key, value] of [
      ['core.fsmonitor', join(root, 'evil')],
      ['core.sshCommand', join(root, 'evil')],
      ['extensions.partialClone', 'origin'],
      ['remote.origin.url', `ext::${join(root, 'evil')}`],
      ['remote.origin.promisor', 'true'],
      ['protocol.ext.allow', 'always'],
      ['core.pager', join(root, 'evil')],
    ] as const)
      git(root, 'config', key, value);
    const objects = join(root, '.git/objects');
    const tree = execFileSync('git', ['rev-parse', 'HEAD:src'], { cwd: root }).toString().trim();
    rmSync(join(objects, tree.slice(0, 2), tree.slice(2)));
    symlinkSync('/etc', join(root, 'link'));
    assert.equal(
      await see('read_file', { path: 'src/a b.ts' }),
      'file',
      'what git cannot list is not known',
    );
    assert.ok(!existsSync(mark));
  });
});

test('after it, the network is asked about as shipped, and work in the sandbox is not', async (t) => {
  const { root, command } = await createProject(t);
  const untrusted = toUntrusted(
    shipped,
    'run_command cat mail.txt',
    [],
    await command('cat mail.txt'),
  );
  const judge = (line: string) => {
    const action = builtIn.toAction({
      tool: 'run_command',
      args: { command: line },
      workspace: root,
    });
    return stepUp(decide(networked, action), networked, action, untrusted);
  };
  const asked = judge('npm run lint');
  assert.equal(asked.rule, 'untrusted.stepped-up');
  assert.match(
    asked.reason,
    /text of a file that was not committed when the run began, read by run_command cat mail\.txt/,
  );
  for (const line of ['npm test', 'git status', 'ls -la'])
    assert.equal(judge(line).verdict, 'allow', line);
});
