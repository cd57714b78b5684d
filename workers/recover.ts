import type { NativeConnection } from '@temporalio/worker';
import { createLeases } from '../activities/files/lease.ts';
import { failpoint } from '../audit/record/failpoint.ts';
import type { Settings } from '../config/environment.ts';
import { resetStickyQueues } from './open-runs.ts';
import { takeLeftTasks } from './open-tasks.ts';
import type { Log } from './logger.ts';

/**
 * Recovers from a killed worker on this machine: kills the processes it started, fails its tasks, so that Temporal
 * hands them out again at once, and frees its runs from its sticky queue. Only for speed: without it, the heartbeat
 * timeout (10 s) and the sticky queue's (10 s) have the same effect.
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
        // Already timed out, or its run is over.
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
