import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { Context } from '@temporalio/activity';
import type { ActivityExecuteInput } from '@temporalio/worker';
import { endSameFailures } from '../../workers/same-failure.ts';

const withCode = (code: string, message: string): Error =>
  Object.assign(new Error(message), { code });

/** The errors an activity ends with, try by try, when it fails with these. */
async function tryAll(
  errors: readonly unknown[],
  factory = endSameFailures(),
  activityId = '1',
): Promise<unknown[]> {
  const ends: unknown[] = [];
  for (const error of errors) {
    const workflowExecution = { workflowId: 'run-a', runId: 'r' };
    // Of a context, what the interceptor reads.
    const context = { info: { workflowExecution, activityId, activityType: 'act' } } as Context;
    const { inbound } = factory(context);
    const input: ActivityExecuteInput = { args: [], headers: {} };
    try {
      await inbound?.execute?.(input, () => Promise.reject(error));
    } catch (end) {
      ends.push(end);
    }
  }
  return ends;
}

const isEnd = (end: unknown): boolean =>
  end instanceof ApplicationFailure && end.nonRetryable === true && end.type === 'FailsTheSameWay';

const times = (count: number, error: (n: number) => unknown): unknown[] =>
  Array.from({ length: count }, (_, n) => error(n));

for (const [name, errors] of [
  ['a path that is too long', times(3, () => withCode('ENAMETOOLONG', 'name too long, open /a/b'))],
  ['a folder that is not ours', times(3, () => withCode('EACCES', 'permission denied, open /a'))],
  ['a bug of ours', times(3, () => new TypeError('x is not iterable'))],
  ['what differs in temporary names', times(3, (n) => new Error(`no /tmp-${n}ab/x, pid ${n}`))],
  ['what differs in hashes', times(3, (n) => new Error(`bad object ${'abcdef0'.repeat(5)}${n}`))],
  ['two kinds by turns', times(5, (n) => new Error(n % 2 === 0 ? 'left is wrong' : 'right is'))],
] as const)
  test(`${name} ends the activity at its third time`, async () => {
    const ends = await tryAll(errors);
    assert.deepEqual(ends.map(isEnd), [...errors.slice(1).map(() => false), true]);
    assert.match((ends.at(-1) as Error).message, /act failed 3 times and is not retried/);
  });

for (const [name, error] of [
  ['a full disk', withCode('ENOSPC', 'no space left on device, write')],
  ['a full disk under git', new Error('git: error: No space left on device')],
  [
    'a full disk below another error',
    new Error('cannot store', { cause: withCode('ENOSPC', 'x') }),
  ],
  ['too many open files', withCode('EMFILE', 'too many open files')],
  ['a lease that moved on', Object.assign(new Error('taken over'), { name: 'LeaseLost' })],
  [
    'a busy model server',
    ApplicationFailure.create({ type: 'ModelFailure.server', message: '503' }),
  ],
  ['a cancellation', new CancelledFailure('cancelled')],
] as const)
  test(`${name} is tried on`, async () => {
    const ends = await tryAll(times(30, () => error));
    assert.deepEqual([...new Set(ends)], [error]);
  });

const wrong = (): Error => new Error('wrong');

test('activities are counted each for itself, and anew after they came out well', async () => {
  const factory = endSameFailures();
  assert.equal((await tryAll(times(2, wrong), factory, '1')).some(isEnd), false);
  assert.equal((await tryAll(times(2, wrong), factory, '2')).some(isEnd), false);
  const context = {
    info: {
      workflowExecution: { workflowId: 'run-a', runId: 'r' },
      activityId: '1',
      activityType: 'act',
    },
  } as Context;
  await factory(context).inbound?.execute?.({ args: [], headers: {} }, () => Promise.resolve(1));
  assert.equal((await tryAll(times(2, wrong), factory, '1')).some(isEnd), false);
});

test('an activity that fails in ever new ways ends at its tenth', async () => {
  const ends = await tryAll(times(10, (n) => new Error(`${'abcdefghij'[n]} is wrong`)));
  assert.deepEqual(ends.map(isEnd).indexOf(true), 9);
});
