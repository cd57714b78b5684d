import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { countTurns, tellStory } from '../model-server/scripts.ts';
import { startModelServer } from '../model-server/server.ts';
import type { ModelServer } from '../model-server/server.ts';
import type { Turn } from '../model-server/turns.ts';
import { createMachine } from '../setup/cli.ts';
import type { Ended, Machine } from '../setup/cli.ts';

const write = (path: string): Turn => ({
  call: [{ name: 'write_file', args: { path, content: `new ${path}\n` } }],
});
const done: Turn = { finish: { summary: 'Done.', evidence: 'See there.' } };

suite('files that git ignores', () => {
  let model: ModelServer;
  let machine: Machine;
  let folder: string;
  before(async () => {
    model = await startModelServer(
      tellStory({
        plan: { steps: [{ id: 's1', title: 'Do it' }] },
        act(request) {
          const only = JSON.stringify(request.messages).includes('Only warm');
          const turns = only ? [write('cache/x.txt')] : [write('cache/x.txt'), write('notes.txt')];
          return turns[countTurns(request)] ?? done;
        },
      }),
    );
    machine = createMachine({ OPENAI_BASE_URL: model.baseUrl });
  });
  after(async () => {
    await machine.stop();
    await model.close();
  });

  async function run(id: string, goal: string, ...options: readonly string[]): Promise<Ended> {
    folder = join(machine.root, id);
    await mkdir(folder);
    await writeFile(join(folder, '.gitignore'), 'cache/\n');
    for (const args of [['init'], ['add', '--all']])
      assert.equal(spawnSync('git', args, { cwd: folder }).status, 0);
    const ended = await machine.run('run', '--id', id, '-C', folder, ...options, goal);
    assert.equal(ended.code, 0, ended.stderr);
    return ended;
  }

  test('are no part of what a run changed, what the reviewer reads and what is promoted', async () => {
    const { stderr } = await run('kept', 'Write notes', '--stage');
    assert.match(stderr, /Changed: notes\.txt\n/);
    assert.match(stderr, /1 ignored file changed too: agent diff kept --ignored/);
    const reviewed = JSON.stringify(model.requests.at(-1)?.messages);
    assert.match(reviewed, /\+new notes\.txt/);
    assert.doesNotMatch(reviewed, /\+new cache/);
    assert.match(reviewed, /not shown because git ignored it before the run: cache\/x\.txt \(1\)/);
    const plain = await machine.run('diff', 'kept');
    assert.doesNotMatch(plain.stdout, /cache/);
    assert.match(plain.stderr, /1 ignored file changed too/);
    assert.match((await machine.run('diff', 'kept', '--ignored')).stdout, /\+new cache\/x\.txt/);
    const { stdout } = await machine.run('promote', 'kept');
    assert.match(stdout, /1 file\.\n {2}notes\.txt\nLeft out: 1 file that git ignores/);
    assert.equal(await readFile(join(folder, 'notes.txt'), 'utf8'), 'new notes.txt\n');
    assert.equal(existsSync(join(folder, 'cache')), false);
  });

  test('are told of when nothing else changed, and taken back by undo', async () => {
    const { stderr } = await run('warm', 'Only warm the cache');
    assert.doesNotMatch(stderr, /Changed:/);
    assert.match(stderr, /1 ignored file changed too: agent diff warm --ignored/);
    const { stdout, stderr: told } = await machine.run('diff', 'warm', '--step', '1');
    assert.equal(stdout, '');
    assert.match(told, /1 ignored file changed too: agent diff warm --step 1 --ignored/);
    assert.equal((await machine.run('undo', 'warm')).code, 0);
    assert.equal(existsSync(join(folder, 'cache/x.txt')), false);
  });
});
