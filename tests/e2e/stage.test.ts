import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { manySteps } from '../model-server/scripts.ts';
import { startModelServer } from '../model-server/server.ts';
import type { ModelServer } from '../model-server/server.ts';
import { createMachine } from '../setup/cli.ts';
import type { Machine } from '../setup/cli.ts';

const write = (path: string, content: string) => ({
  call: [{ name: 'write_file', args: { path, content } }],
});

const story = manySteps({
  s1: [
    { call: [{ name: 'read_file', args: { path: 'one.txt' } }] },
    write('one.txt', 'ONE\n2\n3\n4\n5\n6\n'),
    write('two.txt', 'new\n'),
  ],
});

suite('staged runs from the command line', () => {
  let model: ModelServer;
  let machine: Machine;
  let folder: string;
  const read = (path: string): Promise<string> => readFile(join(folder, path), 'utf8');
  const git = (...args: string[]): string => {
    const who = ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.org'];
    const { status, stdout, stderr } = spawnSync('git', [...who, ...args], {
      cwd: folder,
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    return stdout;
  };
  /** A folder under git, and a staged run in it that has ended. */
  const stage = async (id: string): Promise<string> => {
    folder = join(machine.root, id);
    await mkdir(folder);
    await writeFile(join(folder, 'one.txt'), '1\n2\n3\n4\n5\n6\n');
    git('init', '--quiet');
    git('add', '--all');
    git('commit', '--quiet', '-m', 'Begin');
    const args = ['run', '--stage', '--id', id, '-C', folder, 'Say it louder'];
    const { code, stderr } = await machine.run(...args);
    assert.equal(code, 0, stderr);
    return stderr;
  };
  before(async () => {
    model = await startModelServer(story);
    machine = createMachine({ OPENAI_BASE_URL: model.baseUrl });
  });
  after(async () => {
    await machine.stop();
    await model.close();
  });

  test('the folder is left alone until promote, which is idempotent, and undo', async () => {
    const told = await stage('plain');
    assert.match(told, /Not in \S+plain yet. Apply it with: agent promote plain/);
    assert.equal(git('status', '--porcelain'), '');
    assert.match((await machine.run('show', 'plain')).stdout, /staged +not promoted yet to/);
    assert.match((await machine.run('undo', 'plain')).stderr, /were not applied/);
    const first = await machine.run('promote', 'plain');
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /2 files\.\n {2}one\.txt\n {2}two\.txt/);
    assert.equal(git('status', '--porcelain'), ' M one.txt\n?? two.txt\n');
    assert.match((await machine.run('promote', 'plain')).stdout, /are already in \S+plain/);
    assert.match((await machine.run('show', 'plain')).stdout, /staged +promoted to/);
    assert.match((await machine.run('diff', 'plain')).stdout, /^\+ONE$/m);
    assert.equal((await machine.run('undo', 'plain')).code, 0);
    assert.equal(git('status', '--porcelain'), '');
    assert.match((await machine.run('promote', 'plain')).stdout, /2 files/);
  });

  test('a folder that moved elsewhere is merged, and committed if wanted', async () => {
    await stage('moved');
    await writeFile(join(folder, 'one.txt'), '1\n2\n3\n4\n5\nsix\n');
    git('commit', '--quiet', '-am', 'Six');
    const { code, stdout } = await machine.run('promote', 'moved', '--commit', '--json');
    assert.equal(code, 0);
    const { commit, changes } = JSON.parse(stdout) as { commit: string; changes: string[] };
    assert.deepEqual(changes, ['one.txt', 'two.txt']);
    assert.equal(await read('one.txt'), 'ONE\n2\n3\n4\n5\nsix\n');
    assert.equal(
      git('log', '-1', '--format=%H%n%B'),
      `${commit}\nSay it louder\n\nDev-Agent-Run: moved\n\n`,
    );
    assert.equal(git('status', '--porcelain'), '');
  });

  test('a conflict names the files, and nothing is half-applied', async () => {
    await stage('torn');
    await writeFile(join(folder, 'one.txt'), 'mine\n');
    const { code, stderr } = await machine.run('promote', 'torn');
    assert.equal(code, 1);
    assert.match(stderr, /in the same places: one\.txt\. Nothing was applied/);
    assert.equal(await read('one.txt'), 'mine\n');
    assert.ok(!existsSync(join(folder, 'two.txt')));
  });

  test('what cannot be promoted is said, with what can be done', async () => {
    await mkdir(join(machine.root, 'inplace'));
    const folderArgs = ['-C', join(machine.root, 'inplace')];
    assert.equal((await machine.run('run', '--id', 'inplace', ...folderArgs, 'Do it')).code, 0);
    const refused = await machine.run('promote', 'inplace');
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /worked in \S+ itself.*agent run --stage/);
    assert.equal((await machine.run('promote', 'nobody')).code, 2);
  });

  test('a required hook that stays red ends the run with 8, and its change is not promoted', async () => {
    folder = join(machine.root, 'red');
    await mkdir(join(folder, '.agent'), { recursive: true });
    const hooks = join(folder, '.agent/hooks.yaml');
    const args = ['run', '--stage', '--id', 'red', '-C', folder, 'Say it louder'];
    await writeFile(hooks, 'version: 1\nhooks:\n  - { name: quiet, command: ls, when: never }\n');
    const mistaken = await machine.run(...args);
    assert.equal(mistaken.code, 78);
    assert.match(mistaken.stderr, /hooks\.yaml:3:\d+: hooks\[0\]\.when is text; expected "after-/);
    await writeFile(
      hooks,
      'version: 1\nhooks:\n  - { name: quiet, command: grep -c quiet two.txt }\n',
    );
    const { code, stdout, stderr } = await machine.run(...args);
    assert.equal(code, 8, stderr);
    assert.match(stdout, /Required hooks failed: quiet/);
    assert.match(stderr, /Hooks: ✗ quiet/);
    const refused = await machine.run('promote', 'red');
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /ended as rejected.*agent promote red --force/);
    assert.equal((await machine.run('promote', 'red', '--force')).code, 0);
    assert.equal(await read('two.txt'), 'new\n');
  });

  test('a worker killed in the middle leaves nothing half-applied', async () => {
    await stage('killed');
    const promoting = machine.run('promote', 'killed');
    process.kill(await machine.pidOf('worker'), 'SIGKILL');
    const { code, stderr } = await promoting;
    assert.equal(code, 0, stderr);
    assert.equal(git('status', '--porcelain'), ' M one.txt\n?? two.txt\n');
  });
});
