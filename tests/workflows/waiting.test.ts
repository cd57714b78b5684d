import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, suite, test } from 'node:test';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { ApprovalAnswer } from '../../workflows/contract.ts';
import { callsInTurn, happy } from '../model-server/scripts.ts';
import { startModelServer } from '../model-server/server.ts';
import { startAgent } from '../setup/agent.ts';
import type { RunHandle, TestAgent } from '../setup/agent.ts';
import { startTimeSkipping } from '../setup/time-skipping.ts';
import type { TimeSkipping } from '../setup/time-skipping.ts';

const hour = 3_600_000;
const java = spawnSync('java', ['-version']).error === undefined;

/** Seconds of every timer the run set in its first history. */
async function readTimers(
  agent: TestAgent,
  { workflowId, firstExecutionRunId }: RunHandle,
): Promise<number[]> {
  const { events } = await agent.client.workflow
    .getHandle(workflowId, firstExecutionRunId)
    .fetchHistory();
  return (events ?? []).flatMap(({ timerStartedEventAttributes }) => {
    const seconds = timerStartedEventAttributes?.startToFireTimeout?.seconds;
    return seconds === undefined || seconds === null ? [] : [Number(seconds)];
  });
}

/** The test server loses an update now and then when its clock has just jumped; a person would answer again, too. */
async function answer(agent: TestAgent, handle: RunHandle, given: ApprovalAnswer): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await agent.answer(handle, given);
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError) || tries === 5) throw error;
    }
  }
}

suite('waiting, with a clock that skips', { skip: java ? false : 'Java is not installed' }, () => {
  let time: TimeSkipping;
  before(async () => {
    time = await startTimeSkipping();
  });
  after(() => time.stop());

  test('a model that is away for hours is asked again at most once a minute', async (context) => {
    const { address } = time;
    const agent = await startAgent(happy, { address });
    context.after(() => agent.stop());
    const { port } = agent.model;
    await agent.model.close();
    const began = await time.now();
    // Goes on in a fresh history on the way: this server does not say by whose command.
    const handle = await agent.start('wait for hours', { historyLimit: 500 });
    // One wait after the other: a bigger skip would pass over the worker's answers too.
    for (let attempt = 1; attempt <= 125; attempt++) {
      await agent.waitFor(handle, 'waiting-for-model', (now) => now.attempt >= attempt);
      await time.skip(61_000);
    }
    assert.ok((await time.now()) - began > 2 * hour);
    const back = await startModelServer(happy, { port });
    context.after(() => back.close());
    await time.skip(61_000);
    const result = await handle.result();
    assert.equal(result.status, 'done', result.summary);
    const waits = (await agent.events(handle)).filter(({ type }) => type === 'model.waiting');
    assert.ok(waits.length >= 125, `asked ${waits.length} times`);
    const { runId } = await agent.client.workflow.getHandle(handle.workflowId).describe();
    assert.notEqual(runId, handle.firstExecutionRunId, 'all of it fitted into one history');
    const delays = await readTimers(agent, handle);
    assert.deepEqual(delays.slice(0, 8), [1, 2, 4, 8, 16, 32, 60, 60]);
    assert.ok(
      delays.slice(8).every((seconds) => seconds === 60),
      JSON.stringify(delays),
    );
  });

  test('an approval does not expire', async (context) => {
    const { address } = time;
    const script = callsInTurn([{ name: 'write_file', args: { path: 'AGENTS.md', content: 'x' } }]);
    const agent = await startAgent(script, { address });
    context.after(() => agent.stop());
    const handle = await agent.start('wait for days');
    await agent.waitFor(handle, 'awaiting-approval');
    const began = await time.now();
    await time.skip(72 * hour);
    assert.ok((await time.now()) - began >= 72 * hour);
    const { now } = await agent.waitFor(handle, 'awaiting-approval');
    const { id, digest } = now.request;
    await answer(agent, handle, { request: id, digest, answer: 'approve', by: 'tester' });
    const result = await handle.result();
    assert.equal(result.status, 'done', result.summary);
    assert.equal(await agent.read('AGENTS.md'), 'x');
  });
});
