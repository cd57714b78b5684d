/** Messages that a run would not take are not sent, and the command says why. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { ensureSigningKey } from '../../audit/record/keys/signing-key.ts';
import { pauseRun } from '../../workflows/contract.ts';
import { callsInTurn, manySteps } from '../model-server/scripts.ts';
import { startModelServer } from '../model-server/server.ts';
import type { ModelServer } from '../model-server/server.ts';
import { startAgent } from '../setup/agent.ts';
import { createMachine } from '../setup/cli.ts';
import type { Machine } from '../setup/cli.ts';

suite('a message', () => {
  let model: ModelServer;
  let machine: Machine;
  const keys = mkdtempSync(join(tmpdir(), 'agent-keys-'));
  let approvers: string;
  let own: string;
  before(async () => {
    model = await startModelServer(
      callsInTurn([{ name: 'write_file', args: { path: 'AGENTS.md', content: 'Be kind.\n' } }]),
    );
    approvers = join(keys, 'approvers.pem');
    machine = createMachine({
      OPENAI_BASE_URL: model.baseUrl,
      AGENT_SECRETS: 'PIN',
      PIN: 'hunter2-9',
      AGENT_APPROVERS: approvers,
    });
    own = ensureSigningKey(join(machine.root, 'config', 'dev-agent', 'keys', 'operator.pem')).pem;
    writeFileSync(approvers, own);
    const folder = join(machine.root, 'shop');
    mkdirSync(folder);
    const { code, stderr } = await machine.run(
      'run',
      '--detach',
      '--id',
      'first',
      '-C',
      folder,
      'Go',
    );
    assert.equal(code, 0, stderr);
  });
  after(async () => {
    await machine.stop();
    await model.close();
    rmSync(keys, { recursive: true, force: true });
  });

  test('signed with a key that the stack does not know is not sent', async () => {
    writeFileSync(approvers, ensureSigningKey(join(machine.root, 'other.pem')).pem);
    for (const words of [
      ['pause', 'first'],
      ['resume', 'first'],
      ['cancel', 'first'],
      ['say', 'first', 'hello'],
    ]) {
      const { code, stdout, stderr } = await machine.run(...words);
      assert.deepEqual([code, stdout], [78, ''], stderr);
      assert.match(
        stderr,
        /Not sent: your key \w{16} is not in .*approvers\.pem.*cat .*operator\.pub >> /,
      );
    }
    writeFileSync(approvers, own);
    const { code, stderr } = await machine.run('pause', 'first');
    assert.equal(code, 0, stderr);
  });

  test('that is too long once its secrets are masked is not sent', async () => {
    const long = `${'word '.repeat(798)}hunter2-9`;
    assert.ok(long.length < 4_000);
    const { code, stderr } = await machine.run('say', 'first', long);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /is 40\d\d characters long, with secrets masked; at most 4000/);
  });
});

test('on a cluster a message that the workers do not accept is told from one that they do', async () => {
  const agent = await startAgent(manySteps({ s1: [{ ask: 'Go on?' }] }));
  const machine = createMachine({ TEMPORAL_ADDRESS: process.env['TEMPORAL_TEST_ADDRESS'] ?? '' });
  try {
    const handle = await agent.start('ask');
    await agent.waitFor(handle, 'awaiting-input');
    const run = handle.workflowId.replace(/^run-/, '');
    const { code, stdout, stderr } = await machine.run('pause', run);
    assert.deepEqual([code, stdout], [78, ''], stderr);
    assert.match(stderr, /has not accepted it.*AGENT_APPROVERS/);
    await handle.signal(pauseRun, 'tester');
    const again = await machine.run('pause', run);
    assert.equal(again.code, 0, again.stderr);
    await handle.terminate('the test is over');
  } finally {
    await machine.stop();
    await agent.stop();
  }
});
