import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, suite, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { cancelRun, pauseRun, resumeRun, runView } from '../../workflows/contract.ts';
import type { RunView } from '../../workflows/contract.ts';
import { countTurns, findStepId, tellStory } from '../model-server/scripts.ts';
import type { ScriptedCall } from '../model-server/turns.ts';
import { startAgent } from '../setup/agent.ts';
import type { RunHandle, TestAgent } from '../setup/agent.ts';
import { lanesStory, runOf, threeLanes, writeFileOf } from './scenarios.ts';
import { waitFor } from '../setup/wait-for.ts';

const tools = readFileSync(
  fileURLToPath(new URL('../../policies/tools.yaml', import.meta.url)),
  'utf8',
).replace(...threeLanes);

const both = (from: string, to: string): ScriptedCall => ({
  name: 'edit_file',
  args: { path: 'both.txt', old: from, new: to },
});

const fourLines = (path: string): ScriptedCall[] =>
  [1, 2, 3, 4].map((number) => runOf(`echo ${number} >> ${path}`));

const sleeping = ['sleep', '6173', ''].join('\0');
const isRunning = (command: string): boolean =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .some((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith(command);
      } catch {
        return false; // Gone in between.
      }
    });

const stateOf = ({ steps }: RunView, step: string): string | undefined =>
  steps.find(({ id }) => id === step)?.state;
const waitUntil = async (
  handle: RunHandle,
  holds: (view: RunView) => boolean,
): Promise<RunView> => {
  let view: RunView | undefined;
  const look = async (): Promise<RunView | false> =>
    holds((view = await handle.query(runView))) && view;
  return await waitFor(() => `the run; it stays in ${JSON.stringify(view)}`, look);
};

suite('independent steps at once', () => {
  let agent: TestAgent;
  const begin = async (
    lanes: Readonly<Record<string, readonly ScriptedCall[]>>,
    files: Readonly<Record<string, string>> = {},
  ): Promise<TestAgent> => {
    agent = await startAgent(lanesStory(lanes), { files, policies: { 'tools.yaml': tools } });
    return agent;
  };
  afterEach(() => agent.stop());
  const copies = (): string[] =>
    existsSync(agent.folders.copies) ? readdirSync(agent.folders.copies) : [];

  test('each works in a copy, and their changes are merged in plan order', async () => {
    const lines = Array.from({ length: 20 }, (_, index) => `line ${index + 1}`);
    await begin(
      {
        s1: [writeFileOf('a.txt', 'a'), both('line 1\n', 'first\n'), runOf('sleep 1')],
        s2: [writeFileOf('dir/b.txt', 'b'), both('line 20\n', 'last\n'), runOf('sleep 1')],
        s3: [runOf('echo c > c.txt')],
      },
      { 'both.txt': `${lines.join('\n')}\n` },
    );
    const handle = await agent.start('Work in lanes');
    const result = await handle.result();
    assert.equal(result.status, 'done', result.summary);
    assert.deepEqual(result.changes, ['a.txt', 'both.txt', 'c.txt', 'dir/b.txt']);
    const merged = await agent.read('both.txt');
    assert.ok(merged.startsWith('first\nline 2\n') && merged.endsWith('line 19\nlast\n'));
    const events = await agent.events(handle);
    const kinds = events.filter(({ type }) => type === 'step.started' || type === 'review');
    // All three began before the first was judged.
    assert.deepEqual(
      kinds.slice(0, 3).map(({ type }) => type),
      ['step.started', 'step.started', 'step.started'],
    );
    assert.deepEqual(copies(), []);
  });

  test('a conflict merges nothing of the later step and goes to the planner with both diffs', async () => {
    await begin({
      s1: [writeFileOf('same.txt', 'one\n')],
      s2: [writeFileOf('same.txt', 'two\n'), writeFileOf('other.txt', 'x\n')],
    });
    const result = await agent.run('Work in lanes');
    assert.equal(result.status, 'done', result.summary);
    assert.equal(await agent.read('same.txt'), 'one\n');
    assert.ok(!existsSync(join(agent.workspace, 'other.txt')));
    const asked = agent.model.requests.filter(({ role }) => role === 'planner').at(-1);
    const told = JSON.stringify(asked?.messages);
    assert.match(told, /changed the same places: same\.txt/);
    assert.match(told, /\+one/);
    assert.match(told, /\+two/);
    // What was not merged is no achievement to build on.
    assert.match(told, /Lane s1: /);
    assert.doesNotMatch(told, /Lane s2: /);
  });

  test('a lane that waits for an approval leaves the others alone; what is accepted is not done before it is merged', async () => {
    await begin({ s1: [writeFileOf('AGENTS.md', 'Be kind.\n')], s2: [writeFileOf('b.txt', 'b')] });
    const handle = await agent.start('Work in lanes');
    const view = await waitUntil(
      handle,
      (now) => now.waiting?.length === 1 && stateOf(now, 's2') === 'merging',
    );
    assert.equal(stateOf(view, 's1'), 'running');
    assert.ok(!existsSync(join(agent.workspace, 'b.txt')));
    const [request] = view.waiting ?? [];
    assert.ok(request !== undefined && request.step === 's1');
    const { id, digest } = request;
    await agent.answer(handle, { request: id, digest, answer: 'approve', by: 'tester' });
    const result = await handle.result();
    assert.equal(result.status, 'done', result.summary);
    assert.deepEqual(result.changes, ['AGENTS.md', 'b.txt']);
  });

  test('a cancelled batch leaves the workspace and no copy; commands in copies are ended', async () => {
    await begin({
      s1: [writeFileOf('a.txt', 'a'), runOf('sleep 6173')],
      s2: [writeFileOf('b.txt', 'b'), runOf('sleep 6173')],
    });
    const handle = await agent.start('Work in lanes');
    await waitUntil(handle, ({ usage }) => usage.toolCalls === 2);
    await waitFor('the commands', () => isRunning(sleeping));
    await handle.signal(cancelRun, 'tester');
    const result = await handle.result();
    assert.equal(result.status, 'cancelled');
    // The kernel ends what is in a sandbox a moment after the sandbox.
    await waitFor('the end of the command of a copy', () => !isRunning(sleeping), 2_000);
    assert.deepEqual(result.changes, []);
    assert.deepEqual(readdirSync(agent.workspace), []);
    assert.deepEqual(copies(), []);
  });

  test('a pause holds every lane, and they go on after it', async () => {
    await begin({
      s1: [runOf('sleep 5.1'), writeFileOf('a.txt', 'a')],
      s2: [runOf('sleep 5.2'), writeFileOf('b.txt', 'b')],
    });
    const handle = await agent.start('Work in lanes');
    // Long enough for both to be under way at once, however slow the machine.
    const commands = ['5.1', '5.2'].map((time) => ['sleep', time, ''].join('\0'));
    await waitFor('both lanes at once', () => commands.every(isRunning));
    await handle.signal(pauseRun, 'tester');
    await waitUntil(handle, ({ now, usage }) => now.phase === 'paused' && usage.toolCalls === 2);
    const asked = agent.model.requests.length;
    await setTimeout(300);
    assert.equal(agent.model.requests.length, asked);
    await handle.signal(resumeRun, 'tester');
    const result = await handle.result();
    assert.equal(result.status, 'done', result.summary);
    assert.deepEqual(result.changes, ['a.txt', 'b.txt']);
  });

  test('a budget that ends in mid-batch ends the run with nothing half merged', async () => {
    await begin({ s1: fourLines('a.log'), s2: fourLines('b.log') });
    const result = await agent.run('Work in lanes', { limits: { toolCalls: 5 } });
    assert.equal(result.status, 'budget', result.summary);
    assert.deepEqual(result.changes, []);
    assert.deepEqual(readdirSync(agent.workspace), []);
    assert.deepEqual(copies(), []);
  });

  test('a long run goes on in a fresh history before a batch, never in one', async () => {
    await begin({ s1: fourLines('a.log'), s2: fourLines('b.log') });
    const handle = await agent.start('Work in lanes', { historyLimit: 10 });
    const result = await handle.result();
    assert.equal(result.status, 'done', result.summary);
    assert.equal(await agent.read('a.log'), '1\n2\n3\n4\n');
    assert.equal(await agent.read('b.log'), '1\n2\n3\n4\n');
    const first = agent.client.workflow.getHandle(handle.workflowId, handle.firstExecutionRunId);
    const { events } = await first.fetchHistory();
    assert.ok(events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes);
    const types = events.flatMap(
      ({ activityTaskScheduledEventAttributes: scheduled }) => scheduled?.activityType?.name ?? [],
    );
    assert.deepEqual(types, ['openWorkspace', 'plan']);
  });

  test('a new plan gets copies of its own, and nothing of those given up', async () => {
    let plans = 0;
    const steps = ['s1', 's2'].map((id) => ({ id, title: `Lane ${id}` }));
    const script = tellStory({
      plan: { steps },
      act: (asked) => {
        if (countTurns(asked) > 0) return { finish: { summary: 'Done.' } };
        const name = plans === 1 ? 'first' : 'second';
        return { call: [writeFileOf(`${name}-${findStepId(asked) ?? ''}.txt`, 'x')] };
      },
    });
    agent = await startAgent(
      (request, seen) => {
        if (request.role === 'planner') plans += 1;
        return request.role === 'reviewer' && plans === 1
          ? { review: { verdict: 'replan', notes: 'Another way.' } }
          : script(request, seen);
      },
      { policies: { 'tools.yaml': tools } },
    );
    const result = await agent.run('Work in lanes');
    assert.equal(result.status, 'done', result.summary);
    assert.deepEqual(result.changes, ['second-s1.txt', 'second-s2.txt']);
  });
});
