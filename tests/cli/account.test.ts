import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { RunEventBody } from '../../audit/events/run-event.ts';
import { createAccount } from '../../cli/render/account.ts';
import { renderClock } from '../../cli/render/clock.ts';
import { renderWhole } from '../../cli/render/returned.ts';
import { plainStyle } from '../../cli/render/style.ts';

const now = new Date('2026-11-28T10:00:00');

const tell = (...bodies: readonly (RunEventBody & { readonly at?: string })[]): string[] => {
  const account = createAccount(plainStyle, () => now);
  return bodies.flatMap(({ at = '10:00:00', ...body }, index) => {
    const time = new Date(`2026-11-28T${at}`).toISOString();
    return account({ v: 1, seq: index + 1, run: 'r1', time, ...body });
  });
};

suite('a model that is away', () => {
  const away: RunEventBody = { type: 'model.waiting', address: 'http://m', reason: 'refused' };
  const thought: RunEventBody = { type: 'thought', step: 's1', text: 'On.', transcript: 't' };
  const asking: RunEventBody = { type: 'phase', phase: 'thinking', step: 's1' };
  const budget: RunEventBody = {
    type: 'budget',
    usage: { steps: 1, toolCalls: 1, inputTokens: 1, outputTokens: 1, workMs: 1 },
  };
  test('is said once with a clock, however often it is asked, and when it is back', () => {
    assert.deepEqual(
      tell(
        { ...away, at: '09:58:00' },
        { ...asking, at: '09:58:01' },
        { ...away, at: '09:58:01' },
        // Beside it, a tool of another step ends.
        { ...budget, at: '09:58:02' },
        { ...away, reason: 'still refused', at: '09:58:03' },
        { ...thought, at: '09:59:10' },
        away,
      ),
      [
        'Model unavailable since 09:58:00: http://m: refused',
        'Model back after 1m 10s',
        '  On.',
        'Model unavailable since 10:00:00: http://m: refused',
      ],
    );
  });
});

const call = { step: 's1', call: 7, tool: 'run_command' } as const;
const output = (more: { output?: string; diff?: string; text?: string; bytes?: number }) =>
  ({ type: 'tool.output', ...call, text: '', bytes: 0, observation: 'sha256:0', ...more }) as const;
const finished: RunEventBody = {
  type: 'tool.finished',
  ...call,
  preview: 'npm test',
  ok: true,
  ms: 20,
};
const done = '  ✓ run_command npm test (20 ms)';

suite('what a tool returned', () => {
  for (const [what, event, lines] of [
    ['little', output({ output: 'one\ntwo\n' }), ['    one', '    two']],
    ['nothing', output({ output: '' }), []],
    [
      'an exit code and blank lines',
      output({ output: 'exit code 1\n\none\n\ntwo' }),
      ['    one', '    two'],
    ],
    [
      'much',
      output({ output: 'one\ntwo\nthree\nfour\nfive\nsix' }),
      ['    one', '    two', '    three', '    four', '    … 2 more lines: agent logs r1 --call 7'],
    ],
    [
      'a line too many',
      output({ output: '1\n2\n3\n4\n5' }),
      ['    1', '    2', '    3', '    4', '    … 1 more line: agent logs r1 --call 7'],
    ],
    [
      'control characters',
      output({ output: '\u001b[2Jred\u0007\r\n\u202eover' }),
      ['    red', '    over'],
    ],
    [
      'what is on another machine',
      output({ text: 'the head', bytes: 900 }),
      ['    the head', '    … more: agent logs r1 --call 7'],
    ],
    [
      'an edit',
      output({
        output: 'Edited a.txt in one place.',
        diff: '--- a.txt\n+++ a.txt\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n',
      }),
      ['    @@ -1,2 +1,2 @@', '     one', '    -two', '    +2'],
    ],
  ] as const)
    test(`${what}: its first lines stand below the call`, () =>
      assert.deepEqual(tell(event, finished), [done, ...lines]));

  test('a refusal is said once', () => {
    const decision: RunEventBody = {
      type: 'decision',
      ...call,
      verdict: 'deny',
      rule: 'r',
      reason: 'No.',
      policy: 'p',
    };
    assert.deepEqual(
      tell(decision, output({ output: 'Refused (r): No.' }), { ...finished, ok: false }),
      ['  denied run_command: No. (r)'],
    );
  });
  test('all of it is there on demand', () => {
    const all = Array.from({ length: 50 }, (_, index) => `line ${index}`);
    const event = {
      ...output({ output: all.join('\n') }),
      v: 1,
      seq: 1,
      run: 'r1',
      time: '',
    } as const;
    assert.deepEqual(renderWhole(event, plainStyle), all);
  });
});

const start = (step: string, lane?: true): RunEventBody => ({
  type: 'step.started',
  step,
  title: `Do ${step}`,
  attempt: 1,
  lane,
});
const think = (step: string): RunEventBody => ({
  type: 'thought',
  step,
  text: `I do ${step}.`,
  transcript: 't',
});

test('lines of steps that run at once name their step, and only those', () => {
  assert.deepEqual(
    tell(
      start('s1', true),
      start('s2', true),
      think('s1'),
      think('s2'),
      output({ output: 'ok' }),
      finished,
      { type: 'step.merged', step: 's1' },
      { type: 'step.merged', step: 's2' },
      start('s3'),
      think('s3'),
    ),
    [
      'Step s1 Do s1',
      'Step s2 Do s2',
      's1   I do s1.',
      's2   I do s2.',
      `s1 ${done}`,
      's1     ok',
      'Merged s1 into the workspace',
      'Merged s2 into the workspace',
      'Step s3 Do s3',
      '  I do s3.',
    ],
  );
});

suite('the clock', () => {
  test('is local', () =>
    assert.equal(renderClock(new Date('2026-11-28T09:08:07').toISOString(), now), '09:08:07'));
  test('has the date where a day has passed', () =>
    assert.equal(
      renderClock(new Date('2026-11-27T23:59:59').toISOString(), now),
      '2026-11-27 23:59:59',
    ));
  test('does not invent a time', () => assert.equal(renderClock('', now), '?'));
});
