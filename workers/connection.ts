import { setTimeout } from 'node:timers/promises';
import { NativeConnection } from '@temporalio/worker';
import type { Settings } from '../config/environment.ts';
import type { Log } from './logger.ts';

const patienceMs = 50;
const reportEveryMs = 10_000;

/**
 * Connects to Temporal and keeps trying until it answers: in the local stack both start at the same time.
 * `supervised`: part of the local stack, whose address is all there is to know. Elsewhere `TEMPORAL_*` and
 * temporal.toml have their say on TLS and keys.
 */
export async function connectToTemporal(
  settings: Settings,
  supervised: boolean,
  log: Log,
): Promise<NativeConnection> {
  const address = settings.temporalAddress ?? '127.0.0.1:7233';
  const options = supervised ? { address } : await readOptions(address);
  let reported = Date.now();
  for (;;) {
    try {
      return await NativeConnection.connect(options);
    } catch (error) {
      if (Date.now() - reported > reportEveryMs) {
        reported = Date.now();
        log.warn({ address, reason: (error as Error).message }, 'waiting for Temporal');
      }
      await setTimeout(patienceMs);
    }
  }
}

const readOptions = async (address: string): Promise<object> => {
  const { loadClientConnectConfig } = await import('@temporalio/envconfig');
  return { ...loadClientConnectConfig().connectionOptions, address };
};
