import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { happy, happyFile } from '../model-server/scripts.ts';
import { startAgent } from '../setup/agent.ts';
import type { TestAgent } from '../setup/agent.ts';

suite('a run', () => {
  let agent: TestAgent;
  before(async () => {
    agent = await startAgent(happy, { files: { 'README.md': '# Hello\n' } });
  });
  after(() => agent.stop());

  test('carries a goal out, step by step, and says what it did', async () => {
    const handle = await agent.start('Write the file');
    const result = await handle.result();
    assert.equal(result.status, 'done');
    assert.equal(result.exitCode, 0);
    assert.ok(result.changes.includes(happyFile.path), JSON.stringify(result.changes));
    assert.equal(await agent.read(happyFile.path), happyFile.content);

    const events = await agent.events(handle);
    assert.deepEqual(
      events.map(({ seq }) => seq),
      events.map((_, index) => index + 1),
    );
    const types = events.map(({ type }) => type);
    assert.equal(types[0], 'run.started');
    assert.equal(types.at(-1), 'run.finished');
    for (const type of [
      'plan.updated',
      'step.started',
      'thought',
      'tool.requested',
      'decision',
      'tool.finished',
      'review',
    ] as const) {
      assert.ok(types.includes(type), type);
    }
  });
});
