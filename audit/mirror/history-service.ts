/** The part of Temporal's service the mirror calls; injected, so that the record does not depend on the client. */
export interface HistoryService {
  getWorkflowExecutionHistory(request: {
    namespace: string;
    execution: { workflowId: string; runId?: string };
    waitNewEvent: boolean;
    nextPageToken?: Uint8Array;
  }): Promise<{
    history?: { events?: readonly object[] | null } | null;
    nextPageToken?: Uint8Array | null;
  }>;
}
