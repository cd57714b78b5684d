import { once } from 'node:events';
import { connect as openSocket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { toEndpoint } from '../config/address.ts';
import type { ConnectionSettings } from './connection-options.ts';
import type { Log } from './logger.ts';

const patienceMs = 50;
const maxPatienceMs = 5_000;
/** Failures that just mean the server is not ready yet. */
const fewFailures = 20;
const maxFailures = 200;
const reportEveryMs = 10_000;
const answerWithinMs = 5_000;

/**
 * Connects to Temporal, retrying until it answers: in the local stack both start at the same time. Probes the port
 * first, because each failed attempt of the native client leaks four file descriptors. @throws the last error after 200
 * failures (a quarter of an hour): the supervisor then starts a fresh process.
 */
export async function connectPatiently<T>(
  connect: (options: ConnectionSettings) => Promise<T>,
  options: ConnectionSettings,
  log: Log,
): Promise<T> {
  let reported = Date.now();
  let failures = 0;
  for (;;) {
    try {
      await knock(options.address);
      try {
        return await connect(options);
      } catch (error) {
        failures += 1;
        throw error;
      }
    } catch (error) {
      if (failures >= maxFailures) throw error;
      if (Date.now() - reported > reportEveryMs) {
        reported = Date.now();
        const { address } = options;
        log.warn({ address, reason: (error as Error).message }, 'waiting for Temporal');
      }
      const doublings = Math.max(0, failures - fewFailures);
      await setTimeout(Math.min(patienceMs * 2 ** doublings, maxPatienceMs));
    }
  }
}

/** @throws if nobody listens there. */
async function knock(address: string): Promise<void> {
  const endpoint = toEndpoint(address);
  // The client may add the port.
  if ('port' in endpoint && endpoint.port === 0) return;
  const socket = openSocket(endpoint);
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(answerWithinMs) });
  } finally {
    socket.destroy();
  }
}
