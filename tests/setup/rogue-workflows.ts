/** Workflow code of somebody else, under the names of ours: it schedules whatever it is told. */
import {
  ActivityFailure,
  ApplicationFailure,
  condition,
  defineSignal,
  proxyActivities,
  setHandler,
} from '@temporalio/workflow';

export interface Wanted {
  readonly queue: string;
  readonly activity: string;
  readonly request: unknown;
}

/** `ApplicationFailure`'s type, or what it gave back. */
export type Got = { readonly result: unknown } | { readonly refused: string };

export const schedule = defineSignal<[Wanted]>('schedule');

export async function agentRun(): Promise<Got> {
  let wanted: Wanted | undefined;
  setHandler(schedule, (given) => {
    wanted = given;
  });
  await condition(() => wanted !== undefined);
  const { queue, activity, request } = wanted as unknown as Wanted;
  const activities = proxyActivities<Record<string, (request: unknown) => Promise<unknown>>>({
    taskQueue: queue,
    startToCloseTimeout: '20s',
    retry: { maximumAttempts: 1 },
  });
  try {
    return { result: await activities[activity]?.(request) };
  } catch (error) {
    if (error instanceof ActivityFailure && error.cause instanceof ApplicationFailure)
      return { refused: error.cause.type ?? '' };
    throw error;
  }
}

export { agentRun as promotion, agentRun as somethingElse };
