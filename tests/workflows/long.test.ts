import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { countTurns, findStepId, tellStory } from '../model-server/scripts.ts';
import type { ScriptedCall } from '../model-server/turns.ts';
import { startAgent } from '../setup/agent.ts';
import type { RunHandle, TestAgent } from '../setup/agent.ts';

type History = Awaited<ReturnType<RunHandle['fetchHistory']>>;

const tools = readFileSync(new URL('../../policies/tools.yaml', import.meta.url), 'utf8');
const steps = 4;
const turnsPerStep = 40;
const historyLimit = 300;
const ids = Array.from({ length: steps }, (_, index) => `s${index + 1}`);

/** Two looks and two changes a turn, no two alike; one that shows when it is done twice. */
const callsOf = (step: string, turn: number): ScriptedCall[] => {
  const line = (ids.indexOf(step) * turnsPerStep + turn) * 2 + 1;
  return [
    { name: 'read_file', args: { path: 'lines.txt', startLine: line, endLine: line } },
    { name: 'write_file', args: { path: `${step}/${turn}.txt`, content: `${step} ${turn}\n` } },
    { name: 'read_file', args: { path: 'lines.txt', startLine: line + 1, endLine: line + 1 } },
    turn % 5 === 0
      ? { name: 'run_command', args: { command: `echo ${step}-${turn} >> log` } }
      : { name: 'write_file', args: { path: `${step}/more-${turn}.txt`, content: `${turn}\n` } },
  ];
};
const perTurn = callsOf('s1', 0).length;

const script = tellStory({
  plan: { steps: ids.map((id) => ({ id, title: `Part ${id}` })) },
  act: (request) => {
    const step = findStepId(request) ?? '';
    const turn = countTurns(request);
    return turn < turnsPerStep
      ? { call: callsOf(step, turn) }
      : { finish: { summary: `${step} is done.` } };
  },
});

async function readHistories(agent: TestAgent, { workflowId }: RunHandle): Promise<History[]> {
  const read = (runId?: string) =>
    agent.client.workflow.getHandle(workflowId, runId).fetchHistory();
  const last = await read();
  const histories: History[] = [];
  let next: string | null | undefined =
    last.events?.[0]?.workflowExecutionStartedEventAttributes?.firstExecutionRunId;
  while (next) {
    const history: History = await read(next);
    histories.push(history);
    next =
      history.events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
  }
  return histories;
}

const inputBytes = ({ events }: History): number =>
  (events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? []).reduce(
    (sum, { data }) => sum + (data?.length ?? 0),
    0,
  );

test('a long run goes on in many histories, does every call once, and carries no more with it', async (t) => {
  const lines = steps * turnsPerStep * 2;
  const agent = await startAgent(script, {
    policies: { 'tools.yaml': tools.replace('tool_calls: 500', 'tool_calls: 5000') },
    files: { 'lines.txt': Array.from({ length: lines }, (_, index) => `line ${index}\n`).join('') },
  });
  t.after(() => agent.stop());
  const handle = await agent.start('Go on and on', { historyLimit });
  const result = await handle.result();
  assert.equal(result.status, 'done', result.summary);
  assert.equal(result.usage.toolCalls, steps * turnsPerStep * perTurn);

  const marks = ids.flatMap((step) =>
    Array.from({ length: turnsPerStep / 5 }, (_, index) => `${step}-${index * 5}\n`),
  );
  assert.equal(await agent.read('log'), marks.join(''));
  for (const step of ids) {
    const files = readdirSync(join(agent.workspace, step));
    assert.equal(files.length, turnsPerStep + (turnsPerStep * 4) / 5);
  }

  const histories = await readHistories(agent, handle);
  assert.ok(histories.length > 10, `${histories.length} histories`);
  const lengths = histories.map(({ events }) => events?.length ?? 0);
  // It goes on between two turns: a turn more than the limit is the most.
  assert.ok(Math.max(...lengths) < historyLimit + 100, lengths.join(' '));
  const sizes = histories.map(inputBytes);
  // A finished step leaves a line of some 260 bytes; calls leave nothing.
  assert.ok((sizes.at(-1) ?? 0) <= 1.5 * (sizes[1] ?? 0), sizes.join(' '));
});
