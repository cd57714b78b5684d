import type { NativeConnection } from '@temporalio/worker';
import { createLeases } from '../activities/files/lease.ts';
import { failpoint } from '../audit/record/failpoint.ts';
import type { Settings } from '../config/environment.ts';
import { resetStickyQueues } from './open-runs.ts';
import { takeLeftTasks } from './open-tasks.ts';
import type { Log } from './logger.ts';

/**
 * Takes up what a killed worker of this machine left: ends the processes it had started, fails the tasks it was at, so that
 * Temporal hands them out again at once, and frees its runs from its sticky queue. Nothing of it is needed to be right,
 * only to be quick: without it, the heartbeat time-out (10 s) and the sticky queue's (10 s) do the same.
 */
export async function recover(
  { workflowService }: NativeConnection,
  { folders, temporalNamespace: namespace }: Settings,
  log: Log,
): Promise<void> {
  try {
    const tokens = takeLeftTasks(folders.leases);
    failpoint('recover.taken');
    const swept = await createLeases(folders.leases).sweep();
    const failing = tokens.map((token) =>
      workflowService
        .respondActivityTaskFailed({
          namespace,
          taskToken: Buffer.from(token, 'base64'),
          identity: `recovery-${process.pid}`,
          failure: {
            message: 'The worker was killed.',
            source: 'dev-agent',
            applicationFailureInfo: {
              type: 'WorkerKilled',
              nonRetryable: false,
              nextRetryDelay: { nanos: 1_000_000 },
            },
          },
        })
        // Timed out already, or its run is over.
        .catch(() => undefined),
    );
    await Promise.all(failing);
    failpoint('recover.given-back');
    await resetStickyQueues(workflowService, namespace);
    if (tokens.length > 0 || swept > 0)
      log.info({ tasks: tokens.length, leases: swept }, 'took over');
  } catch (error) {
    log.warn({ error }, 'could not take over from an earlier worker');
  }
}
