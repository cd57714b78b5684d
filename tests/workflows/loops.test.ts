import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import type { PastAction, Repeats } from '../../workflows/loops.ts';
import { countAlike, countRepeats, remember } from '../../workflows/loops.ts';

/** `call=outcome`, `!` before an outcome that is an error; `@tree` where the workspace is another than before. */
function play(...actions: readonly string[]): PastAction[] {
  let tree = 't0';
  return actions.reduce<PastAction[]>((past, text) => {
    const [action = '', at = tree] = text.split('@');
    tree = at;
    const [digest = '', output = ''] = action.split('=');
    const ok = !output.startsWith('!');
    return remember(past, { digest, ok, bytes: output.length, head: output }, tree);
  }, []);
}

const times = (count: number, ...actions: readonly string[]): string[] =>
  Array.from({ length: count }, () => actions).flat();

suite('the newest action counts', () => {
  const cases: readonly (readonly [string, readonly string[], Repeats])[] = [
    ['once when it is the only one', ['ls=a'], { calls: 1, errors: 0 }],
    ['each time in a row', times(5, 'ls=a'), { calls: 5, errors: 0 }],
    ['each round of a circle of two', times(4, 'ls=a', 'cat=b'), { calls: 4, errors: 0 }],
    ['each round of a circle of four', times(12, 'a=', 'b=', 'c=', 'd='), { calls: 12, errors: 0 }],
    [
      'among others in no order, when none shows anything new',
      ['a=', 'b=', 'c=', 'a=', 'c=', 'a=', 'b=', 'a='],
      { calls: 4, errors: 0 },
    ],
    ['anew after something new', [...times(4, 'ls=a'), 'cat=b', 'ls=a'], { calls: 2, errors: 0 }],
    [
      'not as a circle while a poll beside it changes',
      ['sleep=', 'ps=1', 'sleep=', 'ps=2', 'sleep=', 'ps=3', 'sleep=', 'ps=4', 'sleep='],
      { calls: 2, errors: 0 },
    ],
    [
      'once when the same call came out otherwise',
      ['ps=1', 'ps=1', 'ps=2'],
      { calls: 1, errors: 0 },
    ],
    [
      'once a test of another workspace, whatever it says',
      ['test=!1 failed@t1', 'edit=ok@t2', 'test=!1 failed@t3', 'edit=ok@t4', 'test=!1 failed@t5'],
      { calls: 1, errors: 1 },
    ],
    [
      'in a row even when it changed the workspace',
      ['touch=@t1', 'touch=@t2', 'touch=@t3'],
      { calls: 3, errors: 0 },
    ],
    [
      'its error with that of other calls, whatever names and numbers are in it',
      [
        'cat a=!a.txt does not exist',
        'cat b=!src/b.txt does not exist',
        'cat c=!c9.txt does not exist',
      ],
      { calls: 1, errors: 3 },
    ],
    [
      'its error once when another came between',
      ['a=!x', 'b=!x', 'c=!y', 'd=!x'],
      { calls: 1, errors: 1 },
    ],
    [
      'no error that changes with the same call: it gets on, or waits',
      ['make=!1 of 9 built', 'make=!2 of 9 built', 'make=!3 of 9 built'],
      { calls: 1, errors: 1 },
    ],
  ];
  for (const [what, actions, expected] of cases)
    test(what, () => assert.deepEqual(countRepeats(play(...actions)), expected));
});

suite('whatever happened before', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd');
  const action = fc
    .tuple(name, fc.constantFrom('', '1', '!x', '!y'), fc.constantFrom('', '@t1', '@t2'))
    .map(([call, outcome, tree]) => `${call}=${outcome}${tree}`);
  const story = fc.array(action, { maxLength: 80 });

  test('a call with an outcome never seen counts once', () => {
    fc.assert(
      fc.property(story, (before) =>
        assert.deepEqual(countRepeats(play(...before, 'new=never seen')), { calls: 1, errors: 0 }),
      ),
    );
  });
  test('a circle of up to four calls is counted to the top of the ladder', () => {
    fc.assert(
      fc.property(story, fc.uniqueArray(name, { minLength: 1, maxLength: 4 }), (before, circle) => {
        const round = circle.map((call) => `${call}=in circles@t9`);
        // What came before has left the memory, or is told apart by the workspace.
        const { calls } = countRepeats(play(...before, ...times(12, ...round)));
        assert.equal(calls, 12);
      }),
    );
  });
  test('a call whose outcome changes each time is never counted twice, even between others', () => {
    fc.assert(
      fc.property(fc.array(name, { maxLength: 60 }), (calls) => {
        const polled = calls.map((call, at) => (call === 'a' ? `a=${at} done` : `${call}=`));
        const { calls: counted } = countRepeats(play(...polled, 'a=now'));
        assert.equal(counted, 1);
      }),
    );
  });
  test('nothing counts more often than without the rule about news', () => {
    fc.assert(
      fc.property(story, (actions) => {
        const past = play(...actions);
        const [now, before] = [countRepeats(past), countAlike(past)];
        assert.ok(now.calls <= before.calls && now.errors <= before.errors);
      }),
    );
  });
  test('at most 48 actions are remembered', () => {
    fc.assert(fc.property(story, (actions) => assert.ok(play(...actions).length <= 48)));
  });
});
