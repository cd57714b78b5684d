import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { rewindRun, sayToRun } from '../../workflows/contract.ts';
import { findStepId, manySteps } from '../model-server/scripts.ts';
import type { TestAgent } from '../setup/agent.ts';
import { startAgent } from '../setup/agent.ts';

const write = (path: string, content: string) => ({
  call: [{ name: 'write_file', args: { path, content } }],
});

/** The second step asks; its answer decides what the third writes. */
const story = manySteps({
  s1: [
    write('one.txt', '1'),
    { call: [{ name: 'run_command', args: { command: 'echo a >> log' } }] },
  ],
  s2: [write('two.txt', '2'), { ask: 'Go on?' }],
  s3: [write('three.txt', '3')],
});

suite('going back in an open run', () => {
  let agent: TestAgent;
  before(async () => {
    agent = await startAgent(story, { files: { 'mine.txt': 'mine' } });
  });
  after(() => agent.stop());

  test('rewind takes workspace and run back to the start of a step and goes on from there', async () => {
    const handle = await agent.start('Write three files');
    await agent.waitFor(handle, 'awaiting-input');
    assert.equal(await agent.read('two.txt'), '2');
    const answer = await handle.executeUpdate(rewindRun, { args: [{ step: 's1', by: 'tester' }] });
    assert.deepEqual(answer.steps.toSorted(), ['s1', 's2', 's3']);
    await agent.waitFor(handle, 'awaiting-input');
    assert.equal(await agent.read('log'), 'a\n');
    assert.equal(await agent.read('mine.txt'), 'mine');
    const executors = agent.model.requests.filter((request) => findStepId(request) === 's1');
    assert.ok(executors.length >= 6, 'the first step was done twice');
    await handle.signal(sayToRun, 'yes', 'tester');
    const result = await handle.result();
    assert.equal(result.status, 'done', result.summary);
    assert.deepEqual(result.changes, ['log', 'one.txt', 'three.txt', 'two.txt']);
  });

  test('a step that has not begun cannot be gone back to', async () => {
    const handle = await agent.start('Write three files');
    await agent.waitFor(handle, 'awaiting-input');
    await assert.rejects(
      handle.executeUpdate(rewindRun, { args: [{ step: 's3', by: 'tester' }] }),
      (error: Error) => /begun are s1, s2/.test((error.cause as Error).message),
    );
    await handle.signal(sayToRun, 'yes', 'tester');
    await handle.result();
    await assert.rejects(handle.executeUpdate(rewindRun, { args: [{ step: 's1', by: 'tester' }] }));
  });
});
