import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EnginePhase, RunEvent, RunEventBody } from '../../audit/events/run-event.ts';
import { chooseQuestion } from '../../cli/commands/say.ts';
import { renderClock } from '../../cli/render/clock.ts';
import { renderEvent } from '../../cli/render/render.ts';
import { renderBudget, renderLive } from '../../cli/render/render-live.ts';
import { plainStyle } from '../../cli/render/style.ts';
import { emptyView, foldEvent } from '../../client/events/watch-view.ts';

const time = '2026-11-23T03:41:25Z';
const toEvents = (bodies: readonly RunEventBody[]): RunEvent[] =>
  bodies.map((body, index) => ({ v: 1, seq: index + 1, run: 'r1', time, ...body }));
const started: RunEventBody = {
  type: 'run.started',
  goal: 'Fix\n it',
  workspace: '/ws',
  by: 'ada',
  approve: 'ask',
  limits: {},
  model: 'm',
};
const plan: RunEventBody = {
  type: 'plan.updated',
  round: 1,
  approach: 'Two steps.',
  plan: 'sha256:0',
  steps: [
    { id: 's1', title: 'Look', dependsOn: [] },
    { id: 's2', title: 'Fix', dependsOn: ['s1'] },
  ],
};
const call = { step: 's1', call: 1, tool: 'run_command' } as const;
const asked: RunEventBody = {
  type: 'approval.requested',
  ...call,
  request: 'a1',
  preview: 'git push',
  rule: 'commands.git',
  reason: 'It leaves the machine.',
  digest: 'd',
};
const step: RunEventBody = { type: 'step.started', step: 's1', title: 'Look', attempt: 1 };

const tables: [string, RunEventBody, string[]][] = [
  ['a start', started, ['Goal Fix it']],
  ['a plan', plan, ['Plan 1 Two steps.', '  s1 Look', '  s2 Fix']],
  ['a step', step, ['Step s1 Look']],
  ['a second try', { ...step, attempt: 2 }, ['Step s1 Look, attempt 2']],
  ['no thought', { type: 'thought', step: 's1', text: '', transcript: 't' }, []],
  [
    'a refusal',
    { type: 'decision', ...call, verdict: 'deny', rule: 'r', reason: 'No.', policy: 'p' },
    ['  denied run_command: No. (r)'],
  ],
  [
    'a permission',
    { type: 'decision', ...call, verdict: 'allow', rule: 'r', reason: 'Yes.', policy: 'p' },
    [],
  ],
  [
    'a question of the policy',
    asked,
    ['  approval a1: run_command git push', '    It leaves the machine. (commands.git)'],
  ],
  [
    'an answer',
    { type: 'approval.answered', request: 'a1', answer: 'deny', by: 'ada', reason: 'no' },
    ['  a1 denied by ada: no'],
  ],
  [
    'a failed command',
    { type: 'tool.finished', ...call, preview: 'npm test', ok: false, exitCode: 1, ms: 1_500 },
    ['  ✗ run_command npm test (1.5 s, exit 1)'],
  ],
  [
    'a review',
    { type: 'review', verdict: 'retry', notes: 'Tests fail.' },
    ['Review of the whole work: retry Tests fail.'],
  ],
  [
    'the end',
    {
      type: 'run.finished',
      status: 'budget',
      exitCode: 4,
      summary: 's',
      usage: { steps: 1, toolCalls: 2, inputTokens: 900, outputTokens: 600, workMs: 65_000 },
      changes: ['a.ts', 'b.ts'],
    },
    ['budget 1 step · 2 tool calls · 1.5k tokens · 1m 5s of work', 'Changed: a.ts, b.ts'],
  ],
];
for (const [what, body, lines] of tables) {
  test(`${what} as lines`, () => {
    assert.deepEqual(
      toEvents([body]).flatMap((event) => renderEvent(event, plainStyle)),
      lines,
    );
  });
}

test('no event lets an escape sequence through', () => {
  const evil = '\u001b]0;owned\u0007\u001b[2Jx';
  const bodies = [started, plan, asked, step, ...tables.map(([, body]) => body)];
  const poisoned = JSON.parse(JSON.stringify(toEvents(bodies)), (key, value: unknown) =>
    typeof value === 'string' && !['type', 'status', 'answer', 'verdict'].includes(key)
      ? evil
      : value,
  ) as RunEvent[];
  const lines = poisoned.flatMap((event) => renderEvent(event, plainStyle));
  const view = poisoned.reduce(foldEvent, emptyView);
  for (const line of [...lines, ...renderLive(view, evil, 0, plainStyle)]) {
    assert.ok(!line.includes('\u001b') && !line.includes('owned'), JSON.stringify(line));
  }
});

const finishedCall = (of: number): RunEventBody => ({
  type: 'tool.finished',
  step: 's1',
  call: of,
  tool: 'search',
  preview: 'x',
  ok: true,
  ms: 1,
});

const acting: RunEventBody = { type: 'tool.requested', ...call, preview: 'git push' };
const phase = (name: EnginePhase, of?: string, holder?: string): RunEventBody => ({
  type: 'phase',
  phase: name,
  step: of,
  holder,
});
const away: RunEventBody = { type: 'model.waiting', address: 'http://m', reason: 'refused' };
const lanes: RunEventBody[] = ['s1', 's2'].map((id) => ({
  type: 'step.started',
  step: id,
  title: 'Do',
  attempt: 1,
  lane: true,
}));
const since = renderClock(time);

const phases: [string, RunEventBody[], string][] = [
  ['the start', [started], 'starting'],
  ['opening', [started, phase('opening')], 'opening the folder'],
  [
    'a folder another run has',
    [started, phase('opening'), phase('waiting-for-workspace', undefined, 'r2')],
    'waiting for the folder: run r2 has it',
  ],
  ['planning', [started, phase('planning')], 'planning'],
  ['between plan and step', [started, plan], 'thinking · step 0/2'],
  ['a snapshot', [started, plan, phase('snapshot', 's1')], 'taking a snapshot · step 0/2'],
  ['a step', [started, plan, phase('thinking', 's1'), step], 'thinking · step 1/2'],
  ['an action', [started, plan, step, acting], 'run_command git push · step 1/2'],
  ['its end', [started, plan, step, acting, finishedCall(1)], 'thinking · step 1/2'],
  ['an approval', [started, plan, step, acting, asked], 'waiting for your approval · step 1/2'],
  ['a review', [started, plan, step, phase('reviewing', 's1')], 'reviewing · step 1/2'],
  ['the report', [started, plan, phase('closing')], 'writing the report · step 0/2'],
  [
    'a model that is away',
    [started, plan, step, away],
    `model unavailable since ${since}, waiting · step 1/2`,
  ],
  [
    'another try',
    [started, plan, step, away, phase('thinking', 's1')],
    `model unavailable since ${since}, asking again · step 1/2`,
  ],
  [
    'a model that is back',
    [
      started,
      plan,
      step,
      away,
      phase('thinking', 's1'),
      { type: 'thought', step: 's1', text: 'On.', transcript: 't' },
    ],
    'thinking · step 1/2',
  ],
  [
    'steps at once',
    [started, plan, ...lanes, acting, phase('reviewing', 's2')],
    's1 run_command git push · s2 reviewing · step 1/2',
  ],
  [
    'a question of one of them',
    [started, plan, ...lanes, acting, asked],
    'waiting for your approval (s1) · step 1/2',
  ],
];
for (const [what, bodies, start] of phases) {
  test(`the last line at ${what}`, () => {
    const line = renderBudget(toEvents(bodies).reduce(foldEvent, emptyView), 5_000);
    assert.equal(line, `${start} · 0 tokens · 0 tool calls · 5s`);
  });
}

test('a model that writes is back', () => {
  const view = toEvents([started, plan, step, away, phase('thinking', 's1')]).reduce(
    foldEvent,
    emptyView,
  );
  assert.match(renderBudget(view, 0, true), /^thinking · /);
});

const limited: [string, RunEventBody[], string][] = [
  [
    'a limit that comes to its end',
    [
      started,
      {
        type: 'budget',
        near: [{ name: 'usd', used: 0.004, limit: 0.005 }],
        usage: {
          steps: 1,
          toolCalls: 1,
          inputTokens: 900,
          outputTokens: 100,
          workMs: 1,
          usd: 0.004,
        },
      },
    ],
    'starting · 1.0k tokens · 1 tool call · $0.0040 · usd $0.0040 of $0.0050 · 5s',
  ],
];
for (const [what, bodies, line] of limited) {
  test(`the budget line at ${what}`, () => {
    assert.equal(renderBudget(toEvents(bodies).reduce(foldEvent, emptyView), 5_000), line);
  });
}

test('a run with a standing order never waits for the watcher', () => {
  const auto = { ...started, approve: 'auto' } as RunEventBody;
  assert.deepEqual(toEvents([auto, plan, asked]).reduce(foldEvent, emptyView).approvals, []);
  const view = toEvents([started, plan, asked]).reduce(foldEvent, emptyView);
  assert.deepEqual(
    view.approvals.map(({ request }) => request),
    ['a1'],
  );
});

test('each lane’s approval waits until it is answered, whatever the others do', () => {
  const other = { ...asked, step: 's2', call: 2, request: 'a2' } as RunEventBody;
  const answered: RunEventBody = {
    type: 'approval.answered',
    request: 'a1',
    answer: 'approve',
    by: 'ada',
  };
  const waiting = (...bodies: RunEventBody[]): string[] =>
    toEvents([started, plan, asked, other, ...bodies])
      .reduce(foldEvent, emptyView)
      .approvals.map(({ request }) => request);
  assert.deepEqual(waiting(finishedCall(7)), ['a1', 'a2']);
  assert.deepEqual(waiting(answered), ['a2']);
  // Judged otherwise after a change of policy, or with an answer on its way.
  assert.deepEqual(waiting(finishedCall(2)), ['a1']);
  const changed: RunEventBody = { type: 'policy.changed', policy: 'p', by: 'ada' };
  assert.deepEqual(waiting(changed), []);
  assert.deepEqual(waiting(plan), []);
});

test('the plan is ticked as steps are accepted', () => {
  const accepted: RunEventBody = { type: 'review', step: 's1', verdict: 'accept', notes: '' };
  const view = toEvents([started, plan, step, accepted]).reduce(foldEvent, emptyView);
  assert.deepEqual(renderLive(view, '{"plan":"is JSON', 0, plainStyle).slice(1, 4), [
    '☑ s1 Look',
    '☐ s2 Fix',
    '  Two steps.',
  ]);
});

const ask = (request: string, of: string): RunEventBody => ({
  type: 'input.requested',
  step: of,
  request,
  question: `Which one in ${of}?`,
});

test('a question stays until it is answered or its step goes on, whatever else is done and said', () => {
  const open = (...bodies: RunEventBody[]): string[] =>
    toEvents([started, plan, ask('q1', 's1'), ask('q2', 's2'), ...bodies])
      .reduce(foldEvent, emptyView)
      .questions.map(({ request }) => request);
  const beside: RunEventBody = { type: 'tool.requested', ...call, preview: 'npm test' };
  assert.deepEqual(open(beside, finishedCall(1)), ['q1', 'q2']);
  assert.deepEqual(open({ type: 'said', text: 'Hurry.', by: 'ada' }), ['q1', 'q2']);
  assert.deepEqual(open({ type: 'said', text: 'That one.', by: 'ada', to: 'q2' }), ['q1']);
  assert.deepEqual(open({ type: 'thought', step: 's1', text: '', transcript: '' }), ['q2']);
  assert.deepEqual(open(plan), []);
});

test('an answer goes to the only open question, or to the one it names', () => {
  const [one, two] = ['q1', 'q2'].map((id) => ({ id, step: 's1', question: `Which ${id}?` }));
  assert.ok(one !== undefined && two !== undefined);
  assert.equal(chooseQuestion('r1', [], undefined), '');
  assert.equal(chooseQuestion('r1', [one], undefined), 'q1');
  assert.equal(chooseQuestion('r1', [one, two], 'q2'), 'q2');
  assert.throws(
    () => chooseQuestion('r1', [one, two], undefined),
    /q1: Which q1\?\n {2}q2: .*--to q1/s,
  );
  assert.throws(() => chooseQuestion('r1', [one], 'q2'), /is not waiting for an answer to q2/);
});
