import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';

import type { HistoryEventJson } from '../../audit/mirror/history-json.ts';
import type { ListService } from '../../audit/mirror/mirror-all.ts';

type Request = Parameters<ListService['getWorkflowExecutionHistory']>[0];

/** A page of events and whether there is more to ask for, or an error of the server. */
export type Answer =
  { readonly events: readonly HistoryEventJson[]; readonly open: boolean } | Error;

/** What Temporal does on the wire, played back: one answer a request; then long polls that last until `signal` fires. */
export interface PlayedService extends ListService {
  readonly requests: readonly Request[];
  /** What visibility shows. */
  listed: readonly (string | readonly [workflowId: string, runId: string])[];
  /** Resolves when every answer was given and the next request waits. */
  readonly drained: Promise<void>;
}

export const playService = (answers: readonly Answer[], signal: AbortSignal): PlayedService => {
  const requests: Request[] = [];
  const waiting = Promise.withResolvers<void>();
  return {
    requests,
    listed: [],
    drained: waiting.promise,
    async getWorkflowExecutionHistory(request) {
      requests.push(request);
      const answer = answers[requests.length - 1];
      if (answer === undefined) {
        waiting.resolve();
        await new Promise((_, reject) => {
          const stop = (): void => reject(new Error('1 CANCELLED'));
          if (signal.aborted) stop();
          signal.addEventListener('abort', stop);
        });
      }
      if (answer instanceof Error) throw answer;
      const { events = [], open } = answer ?? { open: false };
      return {
        history: events.length === 0 ? { events: [] } : historyFromJSON({ events }),
        nextPageToken: open ? Buffer.from(`token ${requests.length}`) : new Uint8Array(),
      };
    },
    async listWorkflowExecutions() {
      const executions = this.listed.map((of) => {
        const [workflowId, runId] = typeof of === 'string' ? [of] : of;
        return { execution: { workflowId, runId } };
      });
      return { executions, nextPageToken: new Uint8Array() };
    },
  };
};

/** An error as gRPC reports it: 5 not found, 14 unavailable. */
export const toServerError = (code: number, details: string): Error =>
  Object.assign(new Error(`${code} ${details}`), { code, details });

const attributes: Readonly<Record<string, string>> = {
  WORKFLOW_EXECUTION_STARTED: 'workflowExecutionStarted',
  WORKFLOW_TASK_SCHEDULED: 'workflowTaskScheduled',
  WORKFLOW_TASK_STARTED: 'workflowTaskStarted',
  WORKFLOW_EXECUTION_SIGNALED: 'workflowExecutionSignaled',
  WORKFLOW_TASK_FAILED: 'workflowTaskFailed',
  WORKFLOW_EXECUTION_COMPLETED: 'workflowExecutionCompleted',
  WORKFLOW_EXECUTION_TERMINATED: 'workflowExecutionTerminated',
  WORKFLOW_EXECUTION_CONTINUED_AS_NEW: 'workflowExecutionContinuedAsNew',
};

/** A durable event; with `taskId` '0' one that the server may still take back. */
export const toEvent = (
  id: number,
  type: string,
  members: object = {},
  taskId = String(1_048_576 + id),
): HistoryEventJson => ({
  eventId: String(id),
  eventTime: `2026-10-01T12:00:${String(id % 60).padStart(2, '0')}Z`,
  eventType: `EVENT_TYPE_${type}`,
  taskId,
  [`${attributes[type] ?? type}EventAttributes`]: members,
});

/** First event of an execution. */
export const toStart = (execution: string): HistoryEventJson =>
  toEvent(1, 'WORKFLOW_EXECUTION_STARTED', { originalExecutionRunId: execution });
