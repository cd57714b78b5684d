import { setTimeout } from 'node:timers/promises';
import type { ConnectionSettings } from './connection-options.ts';
import type { Log } from './logger.ts';

const patienceMs = 50;
const reportEveryMs = 10_000;

/** Connects to Temporal and keeps trying until it answers: in the local stack both start at the same time. */
export async function connectPatiently<T>(
  connect: (options: ConnectionSettings) => Promise<T>,
  options: ConnectionSettings,
  log: Log,
): Promise<T> {
  let reported = Date.now();
  for (;;) {
    try {
      return await connect(options);
    } catch (error) {
      if (Date.now() - reported > reportEveryMs) {
        reported = Date.now();
        const { address } = options;
        log.warn({ address, reason: (error as Error).message }, 'waiting for Temporal');
      }
      await setTimeout(patienceMs);
    }
  }
}
