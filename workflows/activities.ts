/** Every timeout and retry of a run, with its reason. */
import type { ActivityInterfaceFor } from '@temporalio/workflow';
import { proxyActivities } from '@temporalio/workflow';
import type { ModelActivities } from '../activities/contract/model.ts';
import type { WorkspaceActivities } from '../activities/contract/workspace.ts';
import type { MessageActivities } from '../activities/contract/messages.ts';
import type { RunInput } from './contract.ts';

export interface Activities {
  readonly model: ActivityInterfaceFor<ModelActivities>;
  /** Looks and notes; safe to repeat. */
  readonly workspaceQuick: ActivityInterfaceFor<WorkspaceActivities>;
  /** Acts; the activity itself knows what to do when it finds itself run again. */
  readonly workspaceLong: ActivityInterfaceFor<WorkspaceActivities>;
  /** Checks what people send to the run. */
  readonly messages: ActivityInterfaceFor<MessageActivities>;
}

export function proxyRunActivities({ queues }: Pick<RunInput, 'queues'>): Activities {
  return {
    // A local model may think for many minutes on a small machine; the heartbeat notices a dead worker long before.
    // The activity turns an absent or busy server into an answer, so attempts only count crashes and bugs.
    model: proxyActivities<ModelActivities>({
      taskQueue: queues.model,
      startToCloseTimeout: '60m',
      heartbeatTimeout: '10s',
      retry: {
        initialInterval: '1s',
        backoffCoefficient: 2,
        maximumInterval: '60s',
        maximumAttempts: 20,
      },
    }),
    workspaceQuick: proxyActivities<WorkspaceActivities>({
      taskQueue: queues.workspace,
      startToCloseTimeout: '2m',
      heartbeatTimeout: '30s',
      retry: {
        initialInterval: '500ms',
        backoffCoefficient: 2,
        maximumInterval: '30s',
        maximumAttempts: 200,
      },
    }),
    // Longer than the longest command the policy allows (60 minutes), so that the command's own limit speaks first.
    // Tool failures are results; what is retried here is the host: a killed worker, a full disk. What fails the same way three
    // times is ended by the worker (workers/same-failure.ts): the many attempts are for what heals, an hour and a half of it.
    workspaceLong: proxyActivities<WorkspaceActivities>({
      taskQueue: queues.workspace,
      startToCloseTimeout: '65m',
      heartbeatTimeout: '10s',
      retry: {
        initialInterval: '500ms',
        backoffCoefficient: 2,
        maximumInterval: '30s',
        maximumAttempts: 200,
      },
    }),
    // On the queue of the workflow itself: actions under way, however many and long, take no place from a `cancel`.
    // It looks at a file of keys; what is retried is a killed worker.
    messages: proxyActivities<MessageActivities>({
      startToCloseTimeout: '20s',
      retry: {
        initialInterval: '500ms',
        backoffCoefficient: 2,
        maximumInterval: '10s',
        maximumAttempts: 20,
      },
    }),
  };
}
