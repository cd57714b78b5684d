import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, suite, test } from 'node:test';
import { answerApproval } from '../../workflows/contract.ts';
import { callsInTurn, happy } from '../model-server/scripts.ts';
import { startModelServer } from '../model-server/server.ts';
import { startAgent } from '../setup/agent.ts';
import { startTimeSkipping } from '../setup/time-skipping.ts';
import type { TimeSkipping } from '../setup/time-skipping.ts';

const hour = 3_600_000;

const java = spawnSync('java', ['-version']).error === undefined;

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
    const handle = await agent.start('wait for hours');
    await agent.waitFor(handle, 'waiting-for-model');
    while ((await time.now()) - began < 2 * hour) await time.skip(hour / 2);
    const back = await startModelServer(happy, { port });
    context.after(() => back.close());
    const result = await handle.result();
    assert.equal(result.status, 'done', result.summary);
    const waits = (await agent.events(handle)).filter(({ type }) => type === 'model.waiting');
    const times = waits.map((event) => Date.parse(event.time));
    const gaps = times.slice(1).map((at, index) => at - (times[index] ?? at));
    assert.ok(gaps.length >= 100, `asked ${gaps.length} times`);
    assert.ok(
      gaps.slice(10).every((gap) => gap >= 59_000 && gap <= 70_000),
      JSON.stringify(gaps.slice(0, 20)),
    );
    assert.ok(
      gaps.slice(0, 5).every((gap) => gap < 40_000),
      'the first waits are short',
    );
  });

  test('an approval does not expire', async (context) => {
    const { address } = time;
    const script = callsInTurn([{ name: 'write_file', args: { path: 'AGENTS.md', content: 'x' } }]);
    const agent = await startAgent(script, { address });
    context.after(() => agent.stop());
    const handle = await agent.start('wait for days');
    const { now } = await agent.waitFor(handle, 'awaiting-approval');
    assert.ok(now.phase === 'awaiting-approval');
    const began = await time.now();
    await time.skip(72 * hour);
    assert.ok((await time.now()) - began >= 72 * hour);
    const { id, digest } = now.request;
    await handle.executeUpdate(answerApproval, {
      args: [{ request: id, digest, answer: 'approve', by: 'tester' }],
    });
    const result = await handle.result();
    assert.equal(result.status, 'done', result.summary);
    assert.equal(await agent.read('AGENTS.md'), 'x');
  });
});
