import { toWorkflowId, workflowType } from '../workflows/names.ts';

/** The calls on Temporal's service that are needed here; a connection's `workflowService` has them. */
export interface RunService {
  describeWorkflowExecution(request: {
    namespace: string;
    execution: { workflowId: string };
  }): Promise<{ workflowExecutionInfo?: { status?: number | null } | null }>;
  listWorkflowExecutions(request: {
    namespace: string;
    query: string;
    pageSize: number;
    nextPageToken?: Uint8Array | null;
  }): Promise<{
    executions?: readonly { execution?: { workflowId?: string | null } | null }[] | null;
    nextPageToken?: Uint8Array | null;
  }>;
  resetStickyTaskQueue(request: {
    namespace: string;
    execution: { workflowId: string };
  }): Promise<unknown>;
}

/** WORKFLOW_EXECUTION_STATUS_RUNNING. */
const running = 1;

/** Whether the server does not know what it was asked for. */
export const isNotFound = (error: unknown): boolean => (error as { code?: number }).code === 5;

/**
 * Whether a run goes on, as Temporal knows it; one it does not know does not. What goes on for a run is named `<run>.<what>`,
 * and lasts as long as the run or a workflow of that name.
 */
export const createOpenCheck =
  (service: RunService, namespace: string) =>
  async (name: string): Promise<boolean> => {
    const [run = name] = name.split('.');
    if (await isRunning(service, namespace, run)) return true;
    return run !== name && (await isRunning(service, namespace, name));
  };

async function isRunning(service: RunService, namespace: string, run: string): Promise<boolean> {
  try {
    const execution = { workflowId: toWorkflowId(run) };
    const { workflowExecutionInfo } = await service.describeWorkflowExecution({
      namespace,
      execution,
    });
    return workflowExecutionInfo?.status === running;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

const pageSize = 200;

/**
 * Frees the next workflow task of every open run from the queue of a worker that is gone; it would wait there for 10 seconds
 * (the sticky queue's schedule-to-start time-out) before anybody else may have it.
 */
export async function resetStickyQueues(service: RunService, namespace: string): Promise<void> {
  const query = `WorkflowType = '${workflowType}' AND ExecutionStatus = 'Running'`;
  let nextPageToken: Uint8Array | null | undefined;
  do {
    const page = await service.listWorkflowExecutions({
      namespace,
      query,
      pageSize,
      nextPageToken: nextPageToken ? nextPageToken : undefined,
    });
    for (const { execution } of page.executions ?? []) {
      const workflowId = execution?.workflowId;
      // Ended in between, or never stuck: either is fine.
      if (workflowId)
        await service
          .resetStickyTaskQueue({ namespace, execution: { workflowId } })
          .catch(() => undefined);
    }
    nextPageToken = page.nextPageToken;
  } while (nextPageToken && nextPageToken.length > 0);
}
