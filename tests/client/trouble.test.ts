import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findTrouble } from '../../client/trouble.ts';

const event = (eventType: string, attributes: object) => ({
  eventId: '5',
  eventTime: '2026-11-28T00:00:00Z',
  eventType,
  workflowTaskEventAttributes: attributes,
});
const failed = event('EVENT_TYPE_WORKFLOW_TASK_FAILED', {
  cause: 'WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR',
  failure: { message: 'Nondeterminism error' },
});
const completed = event('EVENT_TYPE_WORKFLOW_TASK_COMPLETED', {});
const act = (attempt: number, lastFailure?: object) => ({
  pendingActivities: [{ activityType: { name: 'act' }, attempt, lastFailure: lastFailure ?? null }],
});

for (const [name, described, last, expected] of [
  ['nothing under way', {}, [], undefined],
  ['a task that fails', { pendingWorkflowTask: { attempt: 4 } }, [failed], 'workflow'],
  ['a task that was taken up again', { pendingWorkflowTask: { attempt: 1 } }, [failed], undefined],
  // Nobody serves it: that is no failure of the run.
  [
    'a task that times out',
    { pendingWorkflowTask: { attempt: 4 } },
    [completed, failed],
    undefined,
  ],
  ['an activity at its first try', act(1), [], undefined],
  [
    'one whose worker was killed once',
    act(2, { message: 'The worker was killed.' }),
    [],
    undefined,
  ],
  ['one that fails again and again', act(3, { message: 'ENOSPC' }), [], 'activity'],
] as const)
  test(`${name}: ${expected ?? 'no trouble'}`, () =>
    assert.equal(findTrouble(described, last)?.what, expected));

test('the error of a task is named with its cause', () =>
  assert.deepEqual(findTrouble({ pendingWorkflowTask: { attempt: 4 } }, [failed]), {
    what: 'workflow',
    name: 'NON_DETERMINISTIC_ERROR',
    attempt: 4,
    error: 'Nondeterminism error',
  }));
