/** Requests to a run and its workers. */
import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import { rootCause } from '@temporalio/common';
import type { SignalDefinition } from '@temporalio/common';
import {
  answerApproval,
  promotionType,
  rewindRun,
  runView,
  toPromotionId,
} from '../../workflows/contract.ts';
import { toWorkflowId, workflowType } from '../../workflows/names.ts';
import type {
  ApprovalAnswer,
  PromoteResult,
  PromotionInput,
  RewindOrder,
  Rewound,
  RunInput,
  RunResult,
  RunView,
} from '../../workflows/contract.ts';
import type { RunState } from '../../workflows/state.ts';
import { ClientError, invalid, takenId } from '../errors.ts';
import { attributes } from './rows.ts';
import { toReason } from './server.ts';
import type { Server } from './server.ts';

export const createRequests = ({ address, client, connection, bounded, handle }: Server) => ({
  /** @throws ClientError if the id is taken. */
  async start(input: RunInput, taskQueue: string, carried?: RunState): Promise<void> {
    const head = input.goal.replace(/\s+/g, ' ').trim().slice(0, 200);
    try {
      await bounded(() =>
        client.workflow.start(workflowType, {
          workflowId: toWorkflowId(input.run),
          taskQueue,
          args: carried === undefined ? [input] : [input, carried],
          workflowIdConflictPolicy: 'FAIL',
          workflowIdReusePolicy: 'REJECT_DUPLICATE',
          staticSummary: head,
          memo: {
            goal: head,
            workspace: input.workspace,
            started: input.started,
            order: input.order?.nonce ?? '',
          },
          typedSearchAttributes: [
            { key: attributes.status, value: 'running' },
            { key: attributes.model, value: input.models.executor.model },
          ],
        }),
      );
    } catch (error) {
      // A cluster without our search attributes.
      if (/search attribute/i.test(toReason(error)))
        throw new ClientError(
          `Temporal at ${address} refuses the run: ${toReason(error)}. Register the search attributes named in docs/operations.md, "Using a Temporal cluster".`,
          'configuration',
        );
      throw error instanceof WorkflowExecutionAlreadyStartedError ? takenId(input.run) : error;
    }
  },

  /** Needs only the server, no worker. False if the run is not open. */
  signal: <Args extends unknown[]>(
    run: string,
    definition: SignalDefinition<Args>,
    ...args: Args
  ): Promise<boolean> => isReached(bounded(() => handle(run).signal(definition, ...args))),

  /** Terminates the run's workflow, whatever its state. False if it is not open. */
  terminate: (run: string, reason: string): Promise<boolean> =>
    isReached(bounded(() => handle(run).terminate(reason))),

  /** Undefined if no worker answers in time. */
  async view(run: string, withinMs: number): Promise<RunView | undefined> {
    // No worker, one busy replaying, or a server just starting: the caller can fall back on the record.
    return await connection
      .withDeadline(Date.now() + withinMs, () => handle(run).query(runView))
      .catch(() => undefined);
  },

  /** The run's result; undefined if it does not end in time, or without one. */
  async result(run: string, withinMs: number): Promise<RunResult | undefined> {
    return await connection
      .withDeadline(Date.now() + withinMs, () => handle(run).result() as Promise<RunResult>)
      .catch(() => undefined);
  },

  /** @throws ClientError with the workflow's reason if the answer is refused. */
  async answer(run: string, answer: ApprovalAnswer): Promise<void> {
    const update = () => handle(run).executeUpdate(answerApproval, { args: [answer] });
    await bounded(update, 30_000).catch((error: unknown) => {
      throw toRefusal(error, `No approval is waiting in run ${run}.`);
    });
  },

  /** Returns the run to the start of a step. @throws ClientError with the workflow's reason if refused. */
  async rewind(run: string, order: RewindOrder): Promise<Rewound> {
    const update = () => handle(run).executeUpdate(rewindRun, { args: [order] });
    return await bounded(update, 120_000).catch((error: unknown) => {
      throw toRefusal(
        error,
        `Run ${run} has ended. Start a new run from one of its steps: agent fork ${run} --step ${order.step}`,
      );
    });
  },

  /** Applies a staged run's change, or waits for one in progress. @throws ClientError if it fails for good. */
  async promote(input: PromotionInput, taskQueue: string): Promise<PromoteResult> {
    const { run } = input.request;
    const started = await bounded(() =>
      client.workflow.start(promotionType, {
        workflowId: toWorkflowId(toPromotionId(run)),
        taskQueue,
        args: [input],
        workflowIdConflictPolicy: 'USE_EXISTING',
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        staticSummary: `promote run ${run}`,
      }),
    );
    try {
      return (await started.result()) as PromoteResult;
    } catch (error) {
      if (!(error instanceof WorkflowFailedError)) throw error;
      const why = rootCause(error) ?? error.message;
      throw new ClientError(`The changes of run ${run} could not be applied: ${why}`, 'failed');
    }
  },
});

/** False if the run is not open. */
async function isReached(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

/** `notOpen`: the message if there is no open run. */
function toRefusal(error: unknown, notOpen: string): unknown {
  if (error instanceof WorkflowUpdateFailedError) return invalid((error.cause ?? error).message);
  return error instanceof WorkflowNotFoundError ? invalid(notOpen) : error;
}
