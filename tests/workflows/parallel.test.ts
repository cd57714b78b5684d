import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { countTurns, findStepId, tellStory } from '../model-server/scripts.ts';
import type { PureScript } from '../model-server/scripts.ts';
import type { ScriptedCall } from '../model-server/turns.ts';
import { rewindRun, sayToRun } from '../../workflows/contract.ts';
import { startAgent } from '../setup/agent.ts';
import type { TestAgent } from '../setup/agent.ts';

const tools = readFileSync(
  fileURLToPath(new URL('../../policies/tools.yaml', import.meta.url)),
  'utf8',
).replace('parallel_steps: 1', 'parallel_steps: 3');

const write = (path: string, content: string): ScriptedCall => ({
  name: 'write_file',
  args: { path, content },
});
const run = (command: string): ScriptedCall => ({ name: 'run_command', args: { command } });

const both = (from: string, to: string): ScriptedCall => ({
  name: 'edit_file',
  args: { path: 'both.txt', old: from, new: to },
});

/** Independent steps, and one after them; a second plan, if asked for, has one step. */
const story = (lanes: Readonly<Record<string, readonly ScriptedCall[]>>): PureScript => {
  const ids = Object.keys(lanes).filter((id) => id !== 's9');
  const first = [
    ...ids.map((id) => ({ id, title: `Lane ${id}` })),
    { id: 's9', title: 'Look at all of it', dependsOn: ids },
  ];
  return (request, seen) => {
    const again = request.messages.some(({ text }) => text.includes('was not merged'));
    return tellStory({
      plan: { steps: again ? [{ id: 's1', title: 'Otherwise' }] : first },
      act(asked) {
        const calls = again ? [] : (lanes[findStepId(asked) ?? ''] ?? [run('ls')]);
        const call = calls[countTurns(asked)];
        if (call === undefined) return { finish: { summary: 'Done.' } };
        return call.name === 'ask_human' ? { ask: 'Go on?' } : { call: [call] };
      },
    })(request, seen);
  };
};

suite('independent steps at once', () => {
  let agent: TestAgent;
  const begin = async (
    lanes: Readonly<Record<string, readonly ScriptedCall[]>>,
    files: Readonly<Record<string, string>> = {},
  ): Promise<TestAgent> => {
    agent = await startAgent(story(lanes), { files, policies: { 'tools.yaml': tools } });
    return agent;
  };
  after(() => agent.stop());

  test('each works in a copy, and their changes are merged in plan order', async () => {
    const lines = Array.from({ length: 20 }, (_, index) => `line ${index + 1}`);
    await begin(
      {
        s1: [write('a.txt', 'a'), both('line 1\n', 'first\n'), run('sleep 1')],
        s2: [write('dir/b.txt', 'b'), both('line 20\n', 'last\n'), run('sleep 1')],
        s3: [run('echo c > c.txt')],
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
    assert.ok(
      !existsSync(join(agent.folders.copies)) || readdirSync(agent.folders.copies).length === 0,
    );
    await agent.stop();
  });

  test('a conflict merges nothing of the later step and goes to the planner with both diffs', async () => {
    await begin({
      s1: [write('same.txt', 'one\n')],
      s2: [write('same.txt', 'two\n'), write('other.txt', 'x\n')],
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
    assert.match(told, /Lane s1: Done/);
    assert.doesNotMatch(told, /Lane s2: Done/);
    await agent.stop();
  });

  test('a step counts as done when its work is merged, and a rewind takes all of the batch back', async () => {
    await begin({
      s1: [write('a.txt', 'a')],
      s2: [write('b.txt', 'b')],
      s9: [{ name: 'ask_human', args: { question: 'Go on?' } }],
    });
    const handle = await agent.start('Work in lanes');
    const view = await agent.waitFor(handle, 'awaiting-input');
    assert.deepEqual(
      view.steps.map(({ id, state }) => [id, state]),
      [
        ['s1', 'done'],
        ['s2', 'done'],
        ['s9', 'running'],
      ],
    );
    const back = await handle.executeUpdate(rewindRun, { args: [{ step: 's2', by: 'tester' }] });
    assert.deepEqual(back.steps, ['s1', 's2', 's9']);
    await agent.waitFor(handle, 'awaiting-input');
    assert.deepEqual(readdirSync(agent.workspace).toSorted(), ['a.txt', 'b.txt']);
    await handle.signal(sayToRun, 'Yes.', 'tester');
    const result = await handle.result();
    assert.equal(result.status, 'done', result.summary);
    const begun = (await agent.events(handle)).filter(({ type }) => type === 'step.started');
    assert.equal(begun.length, 6);
  });
});
