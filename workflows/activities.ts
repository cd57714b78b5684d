/** Every timeout and retry policy of a run, with its reason. */
import type { ActivityInterfaceFor } from '@temporalio/workflow';
import { proxyActivities } from '@temporalio/workflow';
import type { ModelActivities } from '../activities/contract/model.ts';
import type { WorkspaceActivities } from '../activities/contract/workspace.ts';
import type { MessageActivities } from '../activities/contract/messages.ts';
import type { RunInput } from './contract.ts';

export interface Activities {
  readonly model: ActivityInterfaceFor<ModelActivities>;
  /** Reads and records; safe to repeat. */
  readonly workspaceQuick: ActivityInterfaceFor<WorkspaceActivities>;
  /** Acts; the activity itself handles being retried. */
  readonly workspaceLong: ActivityInterfaceFor<WorkspaceActivities>;
  /** Checks people's messages to the run. */
  readonly messages: ActivityInterfaceFor<MessageActivities>;
}

export function proxyRunActivities({ queues }: Pick<RunInput, 'queues'>): Activities {
  return {
    // A local model may think for many minutes on a small machine; the heartbeat detects a dead worker much earlier.
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
    // Longer than the longest command the policy allows (60 minutes), so that the command's own limit applies first.
    // Tool failures are results; retries are for the host: a killed worker, a full disk. The worker ends what fails the
    // same way three times (workers/same-failure.ts): the many attempts are for temporary conditions, for up to an hour
    // and a half.
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
    // On the workflow's own queue, so that no number of running actions delays a `cancel`. It reads a key file; retries
    // are for a killed worker.
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
