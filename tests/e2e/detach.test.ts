import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { callsInTurn } from '../model-server/scripts.ts';
import { startModelServer } from '../model-server/server.ts';
import type { ModelServer } from '../model-server/server.ts';
import { createMachine } from '../setup/cli.ts';
import type { Machine } from '../setup/cli.ts';

suite('agent run --detach', () => {
  let model: ModelServer;
  let machine: Machine;
  before(async () => {
    model = await startModelServer(
      callsInTurn([{ name: 'write_file', args: { path: 'AGENTS.md', content: 'Be kind.\n' } }]),
    );
    machine = createMachine({ OPENAI_BASE_URL: model.baseUrl });
    await mkdir(join(machine.root, 'shop'));
  });
  after(async () => {
    await machine.stop();
    await model.close();
  });
  const start = (id: string, ...more: readonly string[]) =>
    machine.run('run', '--detach', '--id', id, '-C', join(machine.root, 'shop'), ...more, 'Go');

  test('prints the name of a run that has its folder', async () => {
    const { code, stdout, stderr } = await start('first');
    assert.deepEqual([code, stdout], [0, 'first\n'], stderr);
  });

  test('in a folder that another run has, it says which one and fails', async () => {
    const { code, stdout, stderr } = await start('second');
    assert.deepEqual([code, stdout], [69, '']);
    assert.match(stderr, /second has ended already: .*run first.*--wait/s);
    const json = await start('third', '--json');
    assert.equal(json.code, 69);
  });

  test('with --wait it waits there, and says so', async () => {
    const { code, stdout, stderr } = await start('fourth', '--wait');
    assert.deepEqual([code, stdout], [0, 'fourth\n']);
    assert.match(stderr, /fourth waits for its workspace, which run first has/);
    assert.equal((await machine.run('deny', 'first')).code, 0);
    assert.equal((await machine.run('logs', 'first', '-f')).code, 0);
    for (let looks = 0; ; looks += 1) {
      const { stdout: shown } = await machine.run('show', 'fourth');
      if (/approval a1/.test(shown)) break;
      assert.ok(looks < 60, shown);
    }
    assert.equal((await machine.run('deny', 'fourth')).code, 0);
  });
});
