/** Only what the operator announced is carried out, whoever reaches Temporal. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import type { Payload } from '@temporalio/common';
import type { Order } from '../../activities/contract/approval.ts';
import type { RunInput, RunResult } from '../../workflows/contract.ts';
import { pauseRun, resumeRun, runView, sayToRun } from '../../workflows/contract.ts';
import { toQueues, toWorkflowId } from '../../workflows/names.ts';
import { happy, manySteps } from '../model-server/scripts.ts';
import { startAgent } from '../setup/agent.ts';
import type { RunHandle, TestAgent } from '../setup/agent.ts';
import { createRogue } from '../setup/rogue.ts';
import type { Rogue } from '../setup/rogue.ts';
import { waitFor } from '../setup/wait-for.ts';

/** What anybody can read of a run: its input, signatures included. */
async function readInput(agent: TestAgent, { workflowId }: RunHandle): Promise<RunInput> {
  const { events } = await agent.client.workflow.getHandle(workflowId).fetchHistory();
  const { payloads } = events?.[0]?.workflowExecutionStartedEventAttributes?.input ?? {};
  return defaultPayloadConverter.fromPayload(payloads?.[0] as Payload);
}

/** To the last, or the first, task that was completed in an execution, by default the newest. */
async function resetTo(
  { client }: TestAgent,
  { workflowId }: RunHandle,
  place: -1 | 0,
  runId?: string,
): Promise<void> {
  const base = client.workflow.getHandle(workflowId, runId);
  const { events } = await base.fetchHistory();
  const done = (events ?? []).filter((each) => each.workflowTaskCompletedEventAttributes);
  await client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    requestId: randomUUID(),
    reason: 'a test',
    workflowExecution: { workflowId, runId: runId ?? (await base.describe()).runId },
    workflowTaskFinishEventId: done.at(place)?.eventId ?? null,
  });
}

async function waitForRefusal(handle: WorkflowHandle): Promise<void> {
  await waitFor('a refused activity', async () => {
    const { events } = await handle.fetchHistory();
    const types = (events ?? []).map(
      ({ activityTaskFailedEventAttributes: failed }) =>
        failed?.failure?.applicationFailureInfo?.type,
    );
    return types.includes('NotAnnounced');
  });
}

const isRefused = (result: RunResult, why: RegExp): void => {
  assert.equal(result.status, 'denied', JSON.stringify(result));
  assert.equal(result.exitCode, 7);
  assert.match(result.summary, why);
  assert.deepEqual(result.changes, []);
};

suite('somebody who reaches Temporal’s port', () => {
  let agent: TestAgent;
  let rogue: Rogue;
  /** Of a run that has ended, as the rogue reads it. */
  let copied: RunInput;
  let runQueue: string;
  const foreign = () => join(dirname(agent.workspace), 'foreign');

  before(async () => {
    agent = await startAgent(happy);
    rogue = await createRogue(process.env['TEMPORAL_TEST_ADDRESS'] ?? '');
    mkdirSync(foreign(), { mode: 0o700 });
    writeFileSync(join(foreign(), 'private.txt'), 'PRIVATE');
    const handle = await agent.start('write a note', { approve: 'auto' });
    assert.equal((await handle.result()).status, 'done');
    copied = await readInput(agent, handle);
    assert.ok(copied.order !== undefined && copied.standing !== undefined);
    runQueue = copied.queues.model.replace(/-model$/, '-run');
    assert.equal(toQueues(runQueue.replace(/-run$/, ''), 'here').model, copied.queues.model);
  });
  after(async () => {
    await rogue.stop();
    await agent.stop();
  });

  /** Starts it on the agent's own queue. */
  const start = async (input: unknown, workflowId?: string, ...more: unknown[]) =>
    (await rogue.start({
      type: 'agentRun',
      workflowId: workflowId ?? toWorkflowId((input as RunInput).run),
      queue: runQueue,
      args: [input, ...more],
    })) as RunResult;

  const refusals = (): string[] =>
    readdirSync(agent.folders.audit)
      .flatMap((name) => readFileSync(join(agent.folders.audit, name), 'utf8').split('\n'))
      .filter((line) => line.includes('"kind":"refusal"'));

  const attacks: readonly [name: string, make: () => Partial<RunInput>, why: RegExp][] = [
    ['a run nobody signed', () => ({ order: undefined }), /the operator has not signed it/],
    ['another folder', () => ({ workspace: foreign() }), /does not match its content/],
    ['another goal', () => ({ goal: 'take everything' }), /does not match its content/],
    [
      'another model server',
      () => ({ models: { ...copied.models, planner: { model: 'm', baseUrl: 'http://evil' } } }),
      /does not match its content/,
    ],
    ['another mode of approval', () => ({ approve: 'deny' }), /does not match its content/],
    ['higher limits', () => ({ limits: { tokens: 1_000_000_000 } }), /does not match its content/],
    [
      'another origin',
      () => ({ from: { kind: 'fork', run: 'x', workspace: '/etc' } }),
      /does not match its content/,
    ],
    ['a stage', () => ({ stagedFrom: foreign() }), /does not match its content/],
    [
      'an order with another number',
      () => ({ order: { ...(copied.order as Order), nonce: randomUUID() } }),
      /does not match its content/,
    ],
    [
      'a signature by a key nobody knows',
      () => ({
        order: { nonce: randomUUID(), signature: { key: '0123456789abcdef', value: 'AAAA' } },
      }),
      /does not belong to an approver.*operator\.pub.*AGENT_APPROVERS/,
    ],
    [
      'a signature that is none',
      () => ({ order: { nonce: randomUUID(), signature: 7 as never } }),
      /is not valid/,
    ],
  ];
  for (const [name, make, why] of attacks) {
    test(`cannot start a run with ${name}`, async () => {
      const input = { ...copied, ...make(), run: `forged-${randomUUID().slice(0, 8)}` };
      const known = refusals().length;
      isRefused(await start(input), why);
      // The name alone is another run, too.
      isRefused(await start({ ...copied, ...make() }), why);
      assert.equal(refusals().length, known + 2);
    });
  }

  test('cannot have a run again that has ended, under its name or another', async () => {
    isRefused(await start(copied), /has already been used/);
    isRefused(await start(copied, 'run-other'), /is for another run/);
    isRefused(await start({ ...copied, run: 'other' }), /does not match its content/);
    assert.equal(agent.folders.orders, join(agent.folders.root, 'orders'));
  });

  test('cannot have it go on from another state, or with input that is none', async () => {
    const usage = { steps: 0, toolCalls: 0, inputTokens: 0, outputTokens: 0, workMs: 0 };
    const counts = { round: 3, actions: 0, asks: 0, questions: 0, denials: 0, thought: '' };
    const lists = { steps: [], planNotes: [], achieved: [], said: [] };
    const state = { ...counts, ...lists, usage, repeat: { key: '', count: 0 } };
    isRefused(await start(copied, undefined, state), /does not match its content/);
    const odd = [
      null,
      7,
      'x',
      [],
      {},
      { ...copied, queues: 1 },
      { ...copied, models: { planner: 1 } },
    ];
    for (const [index, input] of odd.entries()) {
      const ended = await start(input, `run-odd-${index}`);
      assert.match(JSON.stringify(ended), /cannot be read/);
    }
    for (const bad of [7, { ...state, steps: [null] }, { ...state, usage: {} }])
      assert.match(JSON.stringify(await start(copied, undefined, bad)), /cannot be read/);
  });

  const requests: readonly [activity: string, queue: 'model' | 'workspace', more: object][] = [
    ['openWorkspace', 'workspace', { lease: true }],
    ['ensureWorkspace', 'workspace', { tree: '0'.repeat(40) }],
    ['openLane', 'workspace', { lane: '1-s1', tree: '0'.repeat(40) }],
    ['inspectWork', 'workspace', { base: '0'.repeat(40), claims: [] }],
    ['closeRun', 'workspace', { status: 'done', summary: '' }],
    [
      'act',
      'workspace',
      {
        step: 's1',
        seq: 1,
        call: { id: 'c', tool: 'write_file', segment: '', index: 0, preview: '' },
      },
    ],
    [
      'plan',
      'model',
      { goal: 'g', model: { model: 'm', baseUrl: 'http://evil' }, notes: [], said: [] },
    ],
  ];
  for (const [activity, queue, more] of requests) {
    test(`cannot have a workflow of their own ask for ${activity}, not even with a copied order`, async () => {
      for (const [type, id] of [
        ['agentRun', toWorkflowId(copied.run)],
        ['agentRun', 'run-mine'],
        ['somethingElse', 'mine'],
      ] as const) {
        const got = await rogue.act(
          { type, workflowId: id, args: [copied] },
          {
            queue: copied.queues[queue],
            activity,
            request: { run: copied.run, workspace: foreign(), ...more },
          },
        );
        assert.deepEqual(got, { refused: 'NotAnnounced' }, `${type} ${id}`);
      }
    });
  }

  test('cannot use an order that nobody used yet in a workflow of their own', async () => {
    // As if they were quicker than the run itself.
    const handle = await agent.start('wait for its turn', { order: undefined as never });
    await handle.terminate('by the rogue');
    const input = await readInput(agent, handle);
    const got = await rogue.act(
      { type: 'agentRun', workflowId: handle.workflowId, args: [input] },
      {
        queue: input.queues.workspace,
        activity: 'closeRun',
        request: { run: input.run, workspace: input.workspace, status: 'done', summary: '' },
      },
    );
    assert.deepEqual(got, { refused: 'NotAnnounced' });
  });

  test('cannot have a promotion that was not announced', async () => {
    const doomed = join(dirname(agent.workspace), 'doomed');
    mkdirSync(doomed);
    const request = {
      run: copied.run,
      by: 'policy',
      goal: copied.goal,
      target: agent.workspace,
      stage: doomed,
      base: '0'.repeat(40),
      tree: '0'.repeat(40),
      mode: 'patch',
    };
    const attack = {
      type: 'promotion',
      workflowId: `run-${copied.run}.promotion`,
      queue: runQueue,
    };
    const { queues, order } = copied;
    for (const input of [
      { queues, request },
      { queues, request, order },
    ]) {
      const ended = await rogue.start({ ...attack, args: [input] });
      assert.match(JSON.stringify(ended), /not signed it|does not match its content/);
    }
    assert.ok(existsSync(doomed));
  });

  test('can reset a run that is open, which goes on as announced, and none that has ended', async () => {
    const handle = await agent.start('write a third note');
    await handle.signal(pauseRun, 'tester');
    await agent.waitFor(handle, 'paused');
    await resetTo(agent, handle, -1);
    const again = agent.client.workflow.getHandle(handle.workflowId);
    assert.notEqual((await again.describe()).runId, handle.firstExecutionRunId);
    await again.signal(resumeRun, 'tester');
    assert.equal(((await again.result()) as RunResult).status, 'done');
    await resetTo(agent, handle, 0);
    isRefused((await again.result()) as RunResult, /has ended.*agent fork/);
  });

  test('leaves the folders alone, and honest runs as they are', async () => {
    assert.deepEqual(readdirSync(foreign()), ['private.txt']);
    const handle = await agent.start('write another note');
    assert.equal((await handle.result()).status, 'done');
    assert.equal((await handle.query(runView)).now.phase, 'closed');
  });
});

test('workers on two hosts carry one run out between them', async () => {
  const agent = await startAgent(happy, { otherHost: 'there' });
  try {
    const result = await agent.run('write a note');
    assert.equal(result.status, 'done', result.summary);
  } finally {
    await agent.stop();
  }
});

test('a run that was terminated does not go on after a reset of any of its histories', async () => {
  const agent = await startAgent(manySteps({ s1: [{ ask: 'Go on?' }] }));
  try {
    const handle = await agent.start('ask', { historyLimit: 5 });
    await agent.waitFor(handle, 'awaiting-input');
    const latest = agent.client.workflow.getHandle(handle.workflowId);
    const { runId } = await latest.describe();
    assert.notEqual(runId, handle.firstExecutionRunId);
    await latest.terminate('by the operator');
    for (const base of [runId, handle.firstExecutionRunId]) {
      await resetTo(agent, handle, -1, base);
      // It waits for an answer, and no worker tells it that there is one.
      await latest.signal(sayToRun, 'yes', 'tester');
      await waitForRefusal(latest);
      // From the older one it ended by itself.
      await latest.terminate('by the test').catch(() => undefined);
    }
    await resetTo(agent, handle, 0, handle.firstExecutionRunId);
    const fresh = (await latest.result()) as RunResult;
    isRefused(fresh, /had ended before it was reset/);
    assert.doesNotMatch(fresh.summary, /--force/);
    // With its folder already looked at, it says how what it holds is freed.
    const { run } = await readInput(agent, handle);
    await resetTo(agent, handle, -1, handle.firstExecutionRunId);
    const half = (await latest.result()) as RunResult;
    isRefused(half, new RegExp(`free its folder.*: agent cancel ${run} --force$`));
  } finally {
    await agent.stop();
  }
});
