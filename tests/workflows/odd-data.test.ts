/** Whoever reaches the server can send anything; an older version has written what it has. No run may loop on it. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { WorkflowFailedError } from '@temporalio/client';
import { pauseRun, resumeRun, runView } from '../../workflows/contract.ts';
import { toWorkflowId, workflowType } from '../../workflows/names.ts';
import { happy } from '../model-server/scripts.ts';
import { startAgent } from '../setup/agent.ts';
import type { TestAgent } from '../setup/agent.ts';

const state = {
  round: 0,
  steps: [],
  planNotes: [],
  achieved: [],
  actions: 0,
  asks: 0,
  questions: 0,
  said: [],
  thought: '',
  denials: 0,
  repeat: { key: '', count: 0 },
  usage: { steps: 0, toolCalls: 0, inputTokens: 0, outputTokens: 0, workMs: 0 },
};

suite('odd data', () => {
  let agent: TestAgent;
  before(async () => {
    agent = await startAgent(happy);
  });
  after(() => agent.stop());

  const startWith = async (name: string, args: unknown[]): Promise<unknown> => {
    const known = await agent.start('x', { run: `known-${name}` });
    const { taskQueue } = await known.describe();
    await known.terminate();
    const handle = await agent.client.workflow.start(workflowType, {
      workflowId: toWorkflowId(name),
      taskQueue,
      args,
    });
    return await handle.result().catch((error: unknown) => error);
  };
  const input = {
    run: 'odd',
    goal: 'g',
    workspace: '/nowhere',
    by: 'b',
    approve: 'ask',
    limits: {},
    queues: { model: 'm', workspace: 'w' },
    models: { planner: { model: 'a' }, executor: { model: 'a' }, reviewer: { model: 'a' } },
  };

  for (const [name, args, expected] of [
    ['no-input', [], /input of the run cannot be read/],
    ['null-input', [null], /input of the run cannot be read/],
    ['text-input', ['start'], /input of the run/],
    ['no-queues', [{ ...input, queues: undefined }], /"queues" is missing/],
    ['odd-models', [{ ...input, models: [] }], /"models"/],
    ['odd-state', [input, 'state'], /state the run goes on from/],
    ['empty-state', [input, {}], /"round" is missing/],
    ['odd-steps', [input, { ...state, steps: [{ id: 's1' }] }], /"steps"/],
    ['odd-words', [input, { ...state, words: [null] }], /"words"/],
  ] as const)
    test(`a run started with ${name} ends with a word`, async () => {
      const error = await startWith(name, [...args]);
      assert.ok(error instanceof WorkflowFailedError, String(error));
      assert.match(error.cause?.message ?? '', expected);
    });

  test('odd messages change nothing, and the run goes on to its end', async () => {
    const handle = await agent.start('Write notes.txt', { run: 'messages' });
    await handle.signal(pauseRun, 'tester');
    await agent.waitFor(handle, 'paused');
    for (const name of ['say', 'policyChanged', 'nothing-we-know'])
      for (const args of [[], [null], [7], [{ text: 'x' }], [['a']], ['', 3, {}], ['hm', {}, [1]]])
        await handle.signal(name, ...args);
    for (const [name, args] of [
      ['answerApproval', []],
      ['answerApproval', [null]],
      ['answerApproval', [{ request: 1, digest: {} }]],
      ['rewind', []],
      ['rewind', ['s1']],
      ['nothing-we-know', [1]],
    ] as [string, unknown[]][])
      await assert.rejects(
        handle.executeUpdate<unknown, [unknown]>(name, { args: args as [unknown] }),
        name,
      );
    assert.equal((await handle.query(runView)).now.phase, 'paused');
    for (const by of [undefined, null, 7, { by: 'x' }]) await handle.signal('resume', by);
    const result = await handle.result();
    assert.equal(result.status, 'done', result.summary);
    assert.equal((await agent.events(handle)).at(-1)?.type, 'run.finished');
  });

  test('a run paused and cancelled by who knows whom is paused and cancelled', async () => {
    const handle = await agent.start('Write notes.txt', { run: 'nobody' });
    await handle.signal('pause', { by: 'x' });
    await agent.waitFor(handle, 'paused');
    await handle.signal('cancel');
    const result = await handle.result();
    assert.deepEqual([result.status, result.summary], ['cancelled', 'Cancelled by somebody.']);
    await assert.rejects(handle.signal(resumeRun, 'tester'));
  });
});
