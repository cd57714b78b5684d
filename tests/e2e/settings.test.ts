import assert from 'node:assert/strict';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createMachine } from '../setup/cli.ts';
import type { Ended, Machine } from '../setup/cli.ts';

suite('settings beside a running stack', () => {
  let machine: Machine;
  let others: string[] = [];
  before(async () => {
    machine = createMachine();
    await mkdir(join(machine.root, 'shop'));
    const { code, stderr } = await machine.run('up');
    assert.equal(code, 0, stderr);
  });
  after(async () => {
    await machine.stop();
    for (const root of others) await rm(root, { recursive: true });
  });

  async function runWith(env: Record<string, string>, ...args: string[]): Promise<Ended> {
    const person = createMachine({
      AGENT_STATE_DIR: machine.state,
      XDG_CONFIG_HOME: join(machine.root, 'config'),
      ...env,
    });
    others = [...others, person.root];
    return await person.run(...args);
  }
  const run = ['run', '--demo', '-C'];

  test('a setting that is not in force refuses the run, with both values and the way to change it', async () => {
    const shop = join(machine.root, 'shop');
    const { code, stderr } = await runWith({ AGENT_POLICY_PRESET: 'strict' }, ...run, shop, 'Go');
    assert.equal(code, 78);
    assert.match(stderr, /AGENT_POLICY_PRESET=standard, not strict/);
    assert.match(stderr, /agent down && agent up/);
    const up = await runWith({ ALLOW_NET: 'true', AGENT_SNAPSHOT_DAYS: '7' }, 'up');
    assert.equal(up.code, 78);
    assert.match(up.stderr, /ALLOW_NET=false, not true/);
    assert.match(up.stderr, /AGENT_SNAPSHOT_DAYS=30, not 7/);
  });

  test('a policy that a restarted worker would not go by is not put in force', async () => {
    const { code, stderr } = await runWith(
      { AGENT_POLICY_PRESET: 'trusting' },
      'policies',
      'reload',
    );
    assert.equal(code, 78);
    assert.match(stderr, /AGENT_POLICY_PRESET=standard, not trusting/);
  });

  test('a default gives way to what the stack was started with, and says so', async () => {
    assert.equal((await machine.run('down')).code, 0);
    const env = { AGENT_POLICY_PRESET: 'strict' };
    const shop = join(machine.root, 'shop');
    const { code, stderr } = await runWith(env, ...run, shop, 'List the files');
    assert.equal(code, 0, stderr);
    const plain = await runWith({}, ...run, shop, 'List the files');
    assert.equal(plain.code, 0, plain.stderr);
    assert.match(plain.stderr, /AGENT_POLICY_PRESET=strict, not standard/);
    assert.equal((await runWith({}, 'policies', 'reload')).code, 0);
    assert.equal((await runWith(env, ...run, shop, 'List the files')).code, 0);
  });
});
