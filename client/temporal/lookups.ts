/** Queries about runs that the server answers. */
import { isGrpcServiceError, WorkflowNotFoundError } from '@temporalio/client';
import type { Connection } from '@temporalio/client';
import { toHistoryJson } from '../../audit/mirror/history-json.ts';
import type { HistoryEventJson } from '../../audit/mirror/history-json.ts';
import { abortWith } from '../../audit/mirror/polls.ts';
import { readPages } from '../../audit/verify/origin.ts';
import { fromWorkflowId, toWorkflowId, workflowType } from '../../workflows/names.ts';
import type { HistoryPage } from '../events/history.ts';
import { findTrouble, isTaskFailing } from '../trouble.ts';
import type { Trouble } from '../trouble.ts';
import { toRow } from './rows.ts';
import type { RunRow } from './rows.ts';
import type { Server } from './server.ts';

/** A raw event; `taskId` is 0 until it is durable. */
export type HistoryEvent = NonNullable<
  NonNullable<
    Awaited<ReturnType<Connection['workflowService']['getWorkflowExecutionHistory']>>['history']
  >['events']
>[number];

export function createLookups({ client, connection, namespace, bounded, handle }: Server) {
  const service = connection.workflowService;
  const origin: Parameters<typeof readPages>[0] = {
    getWorkflowExecutionHistory: (request) =>
      bounded(() => service.getWorkflowExecutionHistory(request), 60_000),
  };
  return {
    /** Newest first. */
    async list(max: number): Promise<RunRow[]> {
      // A run that continued as new has several executions; only the last counts.
      const query = `WorkflowType = '${workflowType}' AND ExecutionStatus != 'ContinuedAsNew'`;
      const rows: RunRow[] = [];
      await bounded(async () => {
        for await (const info of client.workflow.list({ query, pageSize: Math.min(max, 500) })) {
          rows.push(toRow(info));
          if (rows.length >= max) break;
        }
      });
      return rows.toSorted((a, b) => b.started.localeCompare(a.started));
    },

    /** Runs waiting for a person. */
    async listWaiting(): Promise<string[]> {
      const query = `WorkflowType = '${workflowType}' AND ExecutionStatus = 'Running' AND AgentStatus = 'needs-approval'`;
      const runs: string[] = [];
      await bounded(async () => {
        for await (const { workflowId } of client.workflow.list({ query, pageSize: 500 }))
          runs.push(fromWorkflowId(workflowId));
      });
      return runs.toSorted();
    },

    /** All open workflows, by id. Needs no keys: nothing is decoded. */
    async listOpen(): Promise<string[]> {
      const query = `ExecutionStatus = 'Running'`;
      const { executions } = await bounded(() =>
        service.listWorkflowExecutions({ namespace, query, pageSize: 500 }),
      );
      return executions.map(({ execution }) => execution?.workflowId ?? '').toSorted();
    },

    /** Undefined if there is no such run. */
    async describe(run: string): Promise<(RunRow & { readonly firstRunId: string }) | undefined> {
      try {
        const info = await bounded(() => handle(run).describe());
        const firstRunId = info.raw.workflowExecutionInfo?.firstRunId || info.runId;
        return { ...toRow(info), firstRunId };
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return undefined;
        throw error;
      }
    },

    /** Why the run makes no progress; undefined if it does. */
    async findTrouble(run: string): Promise<Trouble | undefined> {
      const execution = { workflowId: toWorkflowId(run) };
      try {
        return await bounded(async () => {
          const described = await service.describeWorkflowExecution({ namespace, execution });
          if (!isTaskFailing(described)) return findTrouble(described);
          const last = await service.getWorkflowExecutionHistoryReverse({
            namespace,
            execution,
            maximumPageSize: 50,
          });
          return findTrouble(described, toHistoryJson(last.history?.events ?? []));
        });
      } catch {
        return undefined; // A hint: what the caller came for is told without it.
      }
    },

    /**
     * One response; with `wait`, a long poll of about 20 s once everything is read. @throws errors that `isAway`
     * recognizes.
     */
    async readHistory(
      run: string,
      runId: string,
      token: Uint8Array | undefined,
      { signal, wait }: { readonly signal: AbortSignal; readonly wait: boolean },
    ): Promise<HistoryPage<HistoryEvent>> {
      const request = {
        namespace,
        execution: { workflowId: toWorkflowId(run), runId },
        waitNewEvent: wait,
        nextPageToken: token,
      };
      const ask = () => service.getWorkflowExecutionHistory(request);
      const answer = await abortWith(signal, (own) =>
        connection.withAbortSignal(own, () => connection.withDeadline(Date.now() + 60_000, ask)),
      );
      // The end is an empty token, not a missing one.
      const next = answer.nextPageToken?.length ? answer.nextPageToken : undefined;
      return { events: answer.history?.events ?? [], next };
    },

    /** An execution's current history (the latest without `runId`); undefined if the server does not have it. */
    async fetchHistory(
      run: string,
      runId?: string,
    ): Promise<AsyncIterable<readonly HistoryEventJson[]> | undefined> {
      const pages = readPages(origin, namespace, toWorkflowId(run), runId);
      try {
        const first = await pages.next();
        return first.done === true ? undefined : prepend(first.value, pages);
      } catch (error) {
        // Not found, or an invalid id.
        if (isGrpcServiceError(error) && [3, 5].includes(error.code)) return undefined;
        throw error;
      }
    },
  };
}

async function* prepend<T>(first: T, rest: AsyncIterable<T>): AsyncGenerator<T> {
  yield first;
  yield* rest;
}
