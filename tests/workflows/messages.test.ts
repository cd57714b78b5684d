/** A message to a run counts when an approver signed it, for that run and once. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { defaultPayloadConverter } from '@temporalio/common';
import type { Payload } from '@temporalio/common';
import type { Proof } from '../../activities/contract/messages.ts';
import { signMessage } from '../../audit/record/keys/order-signature.ts';
import { ensureSigningKey } from '../../audit/record/keys/signing-key.ts';
import type { RunInput } from '../../workflows/contract.ts';
import {
  cancelRun,
  pauseRun,
  policyChanged,
  resumeRun,
  rewindRun,
  runView,
  sayToRun,
} from '../../workflows/contract.ts';
import { manySteps } from '../model-server/scripts.ts';
import { startAgent } from '../setup/agent.ts';
import type { RunHandle, TestAgent } from '../setup/agent.ts';
import { createRogue } from '../setup/rogue.ts';
import type { Rogue } from '../setup/rogue.ts';

/** The second step asks. */
const story = manySteps({
  s1: [{ call: [{ name: 'write_file', args: { path: 'one.txt', content: '1' } }] }],
  s2: [{ ask: 'Go on?' }],
});

/** Arguments of each signal of a name that a run got, as anybody can read them. */
async function readSignals(handle: RunHandle, name: string): Promise<unknown[][]> {
  const { events } = await handle.fetchHistory();
  return (events ?? []).flatMap(({ workflowExecutionSignaledEventAttributes: signal }) =>
    signal?.signalName === name
      ? [(signal.input?.payloads ?? []).map((each) => defaultPayloadConverter.fromPayload(each))]
      : [],
  );
}

/** What checks of messages came to so far. */
const countChecks = async (handle: RunHandle): Promise<number> =>
  ((await handle.fetchHistory()).events ?? []).filter(
    (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'checkMessages',
  ).length;

/** After whatever was sent has been checked. */
const settle = async (handle: RunHandle): Promise<void> => {
  for (let last = -1, now = 0; last !== now; now = await countChecks(handle)) {
    last = now;
    await setTimeout(300);
  }
};
const isUntouched = async (handle: RunHandle): Promise<void> => {
  const { now, pausing } = await handle.query(runView);
  assert.equal(now.phase, 'awaiting-input');
  assert.equal(pausing, false);
};

suite('messages to a run', () => {
  let agent: TestAgent;
  let rogue: Rogue;
  before(async () => {
    agent = await startAgent(story);
    rogue = await createRogue(process.env['TEMPORAL_TEST_ADDRESS'] ?? '');
  });
  after(async () => {
    await rogue.stop();
    await agent.stop();
  });

  const begin = async (): Promise<RunHandle> => {
    const handle = await agent.start('write and ask');
    await agent.waitFor(handle, 'awaiting-input');
    return handle;
  };
  const logged = (handle: RunHandle): string[] =>
    readdirSync(agent.folders.audit)
      .flatMap((name) => readFileSync(join(agent.folders.audit, name), 'utf8').split('\n'))
      .filter(
        (line) =>
          line.includes('"kind":"message"') &&
          line.includes(`"run":"${handle.workflowId.replace(/^run-/, '')}"`),
      );
  test('unsigned and forged ones have no effect, are written down, and do not stop the run', async () => {
    const handle = await begin();
    const forged = {
      nonce: randomUUID(),
      sent: Date.now(),
      signature: { key: '0'.repeat(16), value: 'AAAA' },
    };
    for (const proof of [undefined, forged, { ...forged, signature: 1 }, 'x', null])
      for (const [name, ...args] of [
        ['say', 'yes', 'tester', ''],
        ['pause', 'tester'],
        ['resume', 'tester'],
        ['cancel', 'tester'],
        ['policyChanged', 'f'.repeat(64), 'tester'],
      ] as const)
        await rogue.signal(handle.workflowId, name, proof === undefined ? args : [...args, proof]);
    for (const proof of [undefined, forged])
      assert.match(
        (await rogue.update(handle.workflowId, 'rewind', { step: 's1', by: 'tester', proof })) ??
          '',
        /was rejected/,
      );
    await settle(handle);
    await isUntouched(handle);
    assert.equal(logged(handle).length, 27);
    await handle.signal(sayToRun, 'yes', 'tester');
    assert.equal((await handle.result()).status, 'done');
    const told = (await agent.events(handle)).map(({ type }) => type);
    assert.equal(told.filter((type) => type === 'said').length, 1);
    for (const type of ['run.paused', 'run.rewound', 'policy.changed'])
      assert.ok(!told.includes(type as never), type);
  });

  test('arguments of any kind and size do not throw', async () => {
    const handle = await begin();
    const odd: readonly unknown[][] = [
      [],
      [null],
      [7, 8, 9],
      [{}, [], { nonce: {}, sent: 'x', signature: [] }],
      ['x'.repeat(50_000), 'y'.repeat(50_000), { nonce: 'z'.repeat(50_000) }],
      ['a', 'b', { nonce: 'c', sent: 1e300, signature: { key: 'k'.repeat(9_999), value: 1 } }],
    ];
    for (const args of odd)
      for (const name of ['say', 'pause', 'resume', 'cancel', 'policyChanged'])
        await rogue.signal(handle.workflowId, name, args);
    for (const arg of [null, 7, {}, { step: {} }, { step: 's1', by: {}, proof: 7 }])
      assert.equal(typeof (await rogue.update(handle.workflowId, 'rewind', arg)), 'string');
    await settle(handle);
    await isUntouched(handle);
    await handle.signal(cancelRun, 'tester');
    assert.equal((await handle.result()).status, 'cancelled');
    const failed = ((await handle.fetchHistory()).events ?? []).filter(
      (event) => event.workflowTaskFailedEventAttributes,
    );
    assert.deepEqual(failed, []);
  });

  test('signed ones count once, and in no other run', async () => {
    const first = await begin();
    await first.signal(pauseRun, 'tester');
    await first.signal(resumeRun, 'tester');
    await settle(first);
    await isUntouched(first);
    const [paused = []] = await readSignals(first, 'pause');
    assert.equal(typeof (paused[1] as Proof).nonce, 'string');
    await rogue.signal(first.workflowId, 'pause', paused);
    await settle(first);
    await isUntouched(first);
    assert.match(logged(first).join(''), /was sent before/);
    await first.signal(sayToRun, 'yes', 'tester');
    assert.equal((await first.result()).status, 'done');
    const [said = []] = await readSignals(first, 'say');

    const second = await begin();
    await rogue.signal(second.workflowId, 'pause', paused);
    await rogue.signal(second.workflowId, 'say', said);
    // Nor with other words, or for something else.
    await rogue.signal(second.workflowId, 'say', ['no', ...said.slice(1)]);
    await rogue.signal(second.workflowId, 'cancel', paused);
    await settle(second);
    await isUntouched(second);
    await second.signal(cancelRun, 'tester');
    assert.equal((await second.result()).status, 'cancelled');
  });

  test('what counted is remembered when the run goes on in another history', async () => {
    const handle = await agent.start('write and ask', { historyLimit: 5 });
    await agent.waitFor(handle, 'awaiting-input');
    const again = agent.client.workflow.getHandle(handle.workflowId);
    assert.notEqual((await again.describe()).runId, handle.firstExecutionRunId);
    await handle.signal(policyChanged, 'f'.repeat(64), 'tester');
    await handle.signal(sayToRun, 'yes', 'tester');
    assert.equal((await again.result()).status, 'done');
  });

  test('a flood of forged ones leaves a cancel its turn', async () => {
    const handle = await begin();
    await Promise.all(
      Array.from({ length: 120 }, () => rogue.signal(handle.workflowId, 'cancel', ['rogue'])),
    );
    await handle.signal(cancelRun, 'tester');
    assert.equal((await handle.result()).status, 'cancelled');
    assert.match((await handle.result()).summary, /by tester/);
    assert.ok((await countChecks(handle)) < 60);
  });

  test('a flood that is not checked yet does not push out what comes after it', async () => {
    const handle = await begin();
    const flood = (count: number): Promise<unknown> =>
      Promise.all(
        Array.from({ length: count }, () => rogue.signal(handle.workflowId, 'cancel', ['rogue'])),
      );
    // From then on the run looks every five seconds only.
    await flood(60);
    await settle(handle);
    await flood(300);
    await handle.signal(cancelRun, 'tester');
    await flood(100);
    assert.match((await handle.result()).summary, /by tester/);
    assert.ok((await countChecks(handle)) < 70);
  });

  test('one counts by its number, also after the clock was set back', async () => {
    const handle = await begin();
    const key = ensureSigningKey(join(dirname(agent.workspace), 'keys', 'operator.pem'));
    const { events } = await handle.fetchHistory();
    const { payloads } = events?.[0]?.workflowExecutionStartedEventAttributes?.input ?? {};
    const { run, order } = defaultPayloadConverter.fromPayload<RunInput>(payloads?.[0] as Payload);
    /** As sent at a time that the sender's clock showed. */
    const send = async (what: 'pause' | 'resume' | 'cancel', sent: number): Promise<void> => {
      const message = { run, order: order?.nonce ?? '', what, by: 'tester' };
      const proof = signMessage(key, { ...message, nonce: randomUUID(), sent });
      await rogue.signal(handle.workflowId, what, ['tester', proof]);
    };
    const now = Date.now();
    for (let n = 0; n < 40; n++) {
      await send('pause', now + n);
      await send('resume', now + n);
    }
    await send('pause', now - 3_600_000);
    await settle(handle);
    assert.equal((await handle.query(runView)).pausing, true);
    for (let n = 0; n < 250; n++) {
      await send('pause', now + 100 + n);
      await send('resume', now + 100 + n);
    }
    await settle(handle);
    assert.equal((await handle.query(runView)).pausing, false);
    // Older than whatever is remembered.
    await send('pause', now - 3_600_000);
    await settle(handle);
    await isUntouched(handle);
    await send('cancel', now - 3_600_000);
    assert.equal((await handle.result()).status, 'cancelled');
  });

  test('messages have their order, and a rewind goes back', async () => {
    const handle = await begin();
    for (let n = 0; n < 10; n++) {
      await handle.signal(pauseRun, 'tester');
      await handle.signal(resumeRun, 'tester');
    }
    const { steps } = await handle.executeUpdate(rewindRun, {
      args: [{ step: 's1', by: 'tester' }],
    });
    assert.deepEqual(steps, ['s1', 's2']);
    await agent.waitFor(handle, 'awaiting-input');
    await handle.signal(sayToRun, 'yes', 'tester');
    assert.equal((await handle.result()).status, 'done');
    const told = (await agent.events(handle)).map(({ type }) => type);
    assert.equal(told.filter((type) => type === 'run.rewound').length, 1);
    assert.equal(told.filter((type) => type === 'run.paused').length, 10);
  });
});
