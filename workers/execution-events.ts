/** The first and last events of an execution. */
import type { Payload } from '@temporalio/common';
import { isNotFound } from './open-runs.ts';

/** An execution's first event, as the server wrote it. */
export interface StartAttributes {
  readonly taskQueue?: { readonly name?: string | null } | null;
  readonly input?: { readonly payloads?: readonly Payload[] | null } | null;
  readonly firstExecutionRunId?: string | null;
  /** For a reset, the execution it was made from. */
  readonly originalExecutionRunId?: string | null;
  readonly continuedExecutionRunId?: string | null;
  readonly initiator?: number | null;
  readonly cronSchedule?: string | null;
}

export interface StartService {
  getWorkflowExecutionHistory(request: {
    namespace: string;
    execution: { workflowId: string; runId: string };
    maximumPageSize: number;
    historyEventFilterType?: number;
  }): Promise<{
    history?: {
      events?:
        | readonly {
            workflowExecutionStartedEventAttributes?: StartAttributes | null;
            workflowExecutionTerminatedEventAttributes?: { identity?: string | null } | null;
            workflowExecutionContinuedAsNewEventAttributes?: {
              newExecutionRunId?: string | null;
            } | null;
          }[]
        | null;
    } | null;
  }>;
}

type Event = NonNullable<
  NonNullable<Awaited<ReturnType<StartService['getWorkflowExecutionHistory']>>['history']>['events']
>[number];

/** An execution's first or closing event; undefined if there is none. */
export async function readEvent(
  { service, namespace }: { readonly service: StartService; readonly namespace: string },
  { workflowId, runId }: { readonly workflowId: string; readonly runId: string },
  historyEventFilterType?: number,
): Promise<Event | undefined> {
  try {
    const { history } = await service.getWorkflowExecutionHistory({
      namespace,
      execution: { workflowId, runId },
      maximumPageSize: 1,
      historyEventFilterType,
    });
    return history?.events?.[0];
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
