/** What of Temporal's service the mirror calls; handed in, so that the record is kept without the client. */
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
