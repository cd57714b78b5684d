/** The baseline of the step benchmark: activities that do nothing, one after the other. */
import { proxyActivities } from '@temporalio/workflow';

export interface NoOps {
  noop(): Promise<void>;
}

export async function bare(pairs: number, queues: readonly [string, string]): Promise<void> {
  const [first, second] = queues.map((taskQueue) =>
    proxyActivities<NoOps>({ taskQueue, startToCloseTimeout: '1m' }),
  );
  for (let index = 0; index < pairs; index++) {
    await first?.noop();
    await second?.noop();
  }
}
