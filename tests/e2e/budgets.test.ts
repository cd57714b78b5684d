import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { RunEvent } from '../../audit/events/events.ts';
import { countTurns, tellStory } from '../model-server/scripts.ts';
import type { PureScript } from '../model-server/scripts.ts';
import { startModelServer } from '../model-server/server.ts';
import type { ModelServer } from '../model-server/server.ts';
import { createMachine } from '../setup/cli.ts';
import type { Ended, Machine } from '../setup/cli.ts';

const shipped = fileURLToPath(new URL('../../policies/', import.meta.url));

/** Looks about twelve times, or the same way for ever if the goal says so; says what is left when it is told to. */
const looking: PureScript = (request, seen) => {
  const told = JSON.stringify(request.messages);
  return tellStory({
    plan: { steps: [{ id: 's1', title: 'Look about' }] },
    act(asked) {
      const turn = countTurns(asked);
      if (told.includes('This is your last turn'))
        return { finish: { summary: 'Half of it is seen; src is left.' } };
      if (told.includes('Go round')) return { call: [{ name: 'list_files', args: {} }] };
      if (turn >= 12) return { finish: { summary: 'All of it is seen.' } };
      return {
        call: [{ name: 'search', args: { pattern: `look-${turn}` } }],
        usage: { inputTokens: 10_000, outputTokens: 100 },
        delayMs: told.includes('Look slowly') ? 500 : undefined,
      };
    },
  })(request, seen);
};

const finished = (events: readonly RunEvent[]) => {
  const last = events.at(-1);
  assert.ok(last?.type === 'run.finished', JSON.stringify(last));
  return last;
};

suite('budgets from the command line', () => {
  let model: ModelServer;
  let machine: Machine;
  let policies: string;
  before(async () => {
    policies = await mkdtemp(join(tmpdir(), 'agent-policies-'));
    for (const file of ['network.yaml', 'paths.yaml', 'tools.yaml'])
      await cp(join(shipped, file), join(policies, file));
    model = await startModelServer(looking);
    machine = createMachine({ OPENAI_BASE_URL: model.baseUrl, AGENT_POLICIES_DIR: policies });
  });
  after(async () => {
    await machine.stop();
    await model.close();
    await rm(policies, { recursive: true, force: true });
  });

  const makeWorkspace = async (id: string): Promise<string> => {
    const workspace = join(machine.root, id);
    await mkdir(workspace);
    await writeFile(join(workspace, 'README.md'), 'hello\n');
    return workspace;
  };
  const run = async (
    id: string,
    goal: string,
    ...flags: readonly string[]
  ): Promise<Ended & { readonly events: readonly RunEvent[] }> => {
    const started = machine.start(
      'run',
      '--json',
      '--id',
      id,
      '-C',
      await makeWorkspace(id),
      ...flags,
      goal,
    );
    return { ...(await started.ended), events: started.events };
  };
  const auditOf = async (id: string): Promise<string> =>
    (await machine.run('audit', 'tail', id, '--lines', '1')).stdout;

  test('a used-up budget: told at 80 %, a last word, exit 4, and the command that goes on', async () => {
    const { code, stderr, events } = await run('calls', 'Look', '--max-tool-calls', '5');
    assert.equal(code, 4, stderr);
    const { status, summary, limit } = finished(events);
    assert.equal(status, 'budget');
    assert.deepEqual(limit, { name: 'tool_calls', used: 5, limit: 5 });
    assert.match(summary, /In the middle of s1: Half of it is seen; src is left\./);
    const near = events.flatMap((event) => (event.type === 'budget' ? (event.near ?? []) : []));
    assert.deepEqual(near, [{ name: 'tool_calls', used: 4, limit: 5 }]);
    assert.match(
      await auditOf('calls'),
      /calls ended: budget by tool_calls \(5 of 5 used\): The run has used up its 5 tool calls/,
    );
    const shown = await machine.run('show', 'calls');
    assert.match(shown.stdout, /tool calls 5, model calls 8/);

    const [, command] =
      /To go on: agent (fork calls --step s1 --max-tool-calls 10)/.exec(summary) ?? [];
    assert.ok(command, summary);
    const again = await machine.run(...command.split(' '), '--id', 'calls-2');
    assert.equal(again.code, 4, again.stderr);
    const enough = await machine.run(
      'fork',
      'calls',
      '--step',
      's1',
      '--max-tool-calls',
      '50',
      '--id',
      'calls-3',
    );
    assert.equal(enough.code, 0, enough.stderr);
    assert.match(enough.stdout, /All of it is seen\./);
  });

  test('money: what a model costs by the price table ends the run', async () => {
    const { code, stderr, events } = await run('money', 'Look', '-m', 'gpt-4o', '--max-usd', '0.1');
    assert.equal(code, 4, stderr);
    const { usage, limit } = finished(events);
    assert.equal(limit?.name, 'usd');
    // 10,000 tokens in and 100 out a turn: 2.6 cents.
    assert.ok((usage.usd ?? 0) >= 0.1 && (usage.usd ?? 0) < 0.2, `${usage.usd} dollars`);
    assert.ok(!events.some(({ type }) => type === 'budget.unpriced'));
  });

  test('a model without a price is said to be one, at the start', async () => {
    const { code, events } = await run('free', 'Look', '-m', 'local', '--max-usd', '0.0001');
    assert.equal(code, 0);
    const said = events.find(({ type }) => type === 'budget.unpriced');
    assert.deepEqual(said?.type === 'budget.unpriced' && said.models, ['local']);
    const text = await machine.run('logs', 'free');
    assert.match(text.stdout + text.stderr, /No price for local in tools\.yaml/);
  });

  test('going round in a circle: told twice, planned again, exit 5', async () => {
    const { code, stderr, events } = await run('round', 'Go round');
    assert.equal(code, 5, stderr);
    const { status, summary } = finished(events);
    assert.equal(status, 'stuck');
    assert.match(summary, /The same call gave the same result 12 times/);
    assert.equal(events.filter(({ type }) => type === 'nudge').length, 2);
    assert.equal(events.filter(({ type }) => type === 'plan.updated').length, 2);
    assert.match(
      await auditOf('round'),
      /round ended: stuck: The same call gave the same result 12/,
    );
  });

  test('the limit of one tool, put in force while the run goes on, ends it', async () => {
    const workspace = await makeWorkspace('tool');
    const started = machine.start('run', '--json', '--id', 'tool', '-C', workspace, 'Look slowly');
    await started.waitFor(({ type }) => type === 'tool.finished');
    const tools = await readFile(join(policies, 'tools.yaml'), 'utf8');
    await writeFile(
      join(policies, 'tools.yaml'),
      tools.replace('per_tool: {}', 'per_tool: { search: { calls: 10 } }'),
    );
    const reload = await machine.run('policies', 'reload');
    assert.equal(reload.code, 0, reload.stderr);
    const { code, stderr } = await started.ended;
    assert.equal(code, 4, stderr);
    const { events } = started;
    const { limit, summary } = finished(events);
    assert.deepEqual(limit, { name: 'per_tool.search.calls', used: 10, limit: 10 });
    assert.match(summary, /Raise budgets\.per_tool\.search\.calls in tools\.yaml/);
  });
});
