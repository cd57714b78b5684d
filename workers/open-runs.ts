import { toWorkflowId, workflowType } from '../workflows/names.ts';

/** The calls needed here; a connection's `workflowService` has them. */
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

/** Whether the server does not know what was asked for. */
export const isNotFound = (error: unknown): boolean => (error as { code?: number }).code === 5;

/**
 * Whether a run is open according to Temporal; an unknown run is not. Work on a run's behalf is named `<run>.<what>`
 * and is open as long as the run or a workflow of that name.
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
 * Frees every open run's next workflow task from a dead worker's sticky queue, where it would wait 10 seconds (its
 * schedule-to-start timeout) before another worker may have it.
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
      // Ended meanwhile, or never stuck: both are fine.
      if (workflowId)
        await service
          .resetStickyTaskQueue({ namespace, execution: { workflowId } })
          .catch(() => undefined);
    }
    nextPageToken = page.nextPageToken;
  } while (nextPageToken && nextPageToken.length > 0);
}
