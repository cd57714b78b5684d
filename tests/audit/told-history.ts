import type { ActRequest, ActResult } from '../../activities/contract/act.ts';
import type { PlannedStep } from '../../activities/contract/model.ts';
import type { Call } from '../../activities/contract/refs.ts';
import type { HistoryEventJson } from '../../audit/mirror/history-json.ts';
import type { RunInput } from '../../workflows/contract.ts';

const toPayloads = (...values: readonly unknown[]): object => ({
  payloads: values.map((value) => ({
    metadata: { encoding: Buffer.from('json/plain').toString('base64') },
    data: Buffer.from(JSON.stringify(value)).toString('base64'),
  })),
});

export const input: RunInput = {
  run: 'a',
  goal: "Don't panic",
  workspace: '/work/space here',
  queues: { model: 'm', workspace: 'w' },
  models: { planner: { model: 'p' }, executor: { model: 'e' }, reviewer: { model: 'r' } },
  limits: {},
  approve: 'ask',
  by: 'tester',
  started: '2026-10-01T12:00:00Z',
};

const call: Call = {
  id: 'c1',
  tool: 'write_file',
  segment: 'sha256:1',
  index: 0,
  preview: 'a.txt',
};

export const actRequest: ActRequest = { run: 'a', step: 's1', seq: 1, workspace: '/w', call };

export const actResult: ActResult = {
  verdict: 'allow',
  rule: 'files.write',
  reason: 'It is in the workspace.',
  effect: 'workspace',
  policy: 'f'.repeat(64),
  digest: 'd'.repeat(64),
  ok: true,
  observation: 'sha256:2',
  head: 'Wrote 3 bytes.',
  bytes: 14,
  ms: 20,
  limits: { steps: 10, toolCalls: 10, tokens: 10, minutes: 10 },
};

export const approval = {
  request: 'a1',
  digest: actResult.digest,
  answer: 'approve',
  by: 'tester',
} as const;

const usage = { inputTokens: 100, outputTokens: 10 };

/** What a model said, as the activity returns it. */
export const toAnswer = (answer: object): object => ({
  kind: 'answer',
  answer,
  usage,
  model: 'm',
  protocol: 'chat',
  ms: 5,
});

/** Writes a history down as Temporal would tell it, one event after the other. */
export const tellHistory = () => {
  const events: HistoryEventJson[] = [];
  let id = 0;
  const add = (type: string, key: string, attributes: object): string => {
    id += 1;
    events.push({
      eventId: String(id),
      eventTime: `2026-10-01T12:00:00.${String(events.length).padStart(3, '0')}Z`,
      eventType: `EVENT_TYPE_${type}`,
      taskId: String(1000 + id),
      [`${key}EventAttributes`]: attributes,
    });
    return String(id);
  };
  const schedule = (name: string, request: unknown): string =>
    add('ACTIVITY_TASK_SCHEDULED', 'activityTaskScheduled', {
      activityType: { name },
      input: toPayloads(request),
    });
  const story = {
    events,
    add,
    start: (given: RunInput = input) =>
      add('WORKFLOW_EXECUTION_STARTED', 'workflowExecutionStarted', { input: toPayloads(given) }),
    /** An activity from its request to its result. */
    activity(name: string, request: unknown, result: unknown) {
      const scheduledEventId = schedule(name, request);
      add('ACTIVITY_TASK_STARTED', 'activityTaskStarted', { scheduledEventId });
      add('ACTIVITY_TASK_COMPLETED', 'activityTaskCompleted', {
        scheduledEventId,
        result: toPayloads(result),
      });
    },
    failedActivity(name: string, request: unknown, message: string) {
      const scheduledEventId = schedule(name, request);
      add('ACTIVITY_TASK_STARTED', 'activityTaskStarted', { scheduledEventId });
      add('ACTIVITY_TASK_FAILED', 'activityTaskFailed', {
        scheduledEventId,
        failure: { message: 'Activity task failed', cause: { message } },
      });
    },
    plan: (...titles: readonly string[]) =>
      story.activity(
        'plan',
        {},
        toAnswer({
          plan: 'sha256:3',
          approach: 'Step by step.',
          steps: titles.map((title, index): PlannedStep => ({
            id: `s${index + 1}`,
            title,
            dependsOn: [],
          })),
        }),
      ),
    think: (step: string, more: object = {}) =>
      story.activity(
        'think',
        { step },
        toAnswer({ transcript: 'sha256:4', thought: 'Hm.', calls: [], ...more }),
      ),
    signal: (signalName: string, ...args: readonly unknown[]) =>
      add('WORKFLOW_EXECUTION_SIGNALED', 'workflowExecutionSignaled', {
        signalName,
        input: toPayloads(...args),
      }),
    answer: (answer: object) =>
      add('WORKFLOW_EXECUTION_UPDATE_ACCEPTED', 'workflowExecutionUpdateAccepted', {
        acceptedRequest: { input: { name: 'answerApproval', args: toPayloads(answer) } },
      }),
    complete: (result: object) =>
      add('WORKFLOW_EXECUTION_COMPLETED', 'workflowExecutionCompleted', {
        result: toPayloads(result),
      }),
    /** Goes on in another execution, whose ids begin at 1 again. */
    continueAsNew() {
      add('WORKFLOW_EXECUTION_CONTINUED_AS_NEW', 'workflowExecutionContinuedAsNew', {
        newExecutionRunId: 'e2',
      });
      id = 0;
      story.start();
    },
  };
  return story;
};
