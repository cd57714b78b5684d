import type { Settings } from '../config/environment.ts';

/** How to reach Temporal, with TLS and keys if the operator configured them. */
export interface ConnectionSettings {
  readonly address: string;
}

/**
 * `supervised`: part of the local stack, where the address is all that matters. Otherwise `TEMPORAL_*` and
 * temporal.toml apply; a cluster profile must not put TLS on the local stack.
 */
export async function readConnectionOptions(
  { temporalAddress = '127.0.0.1:7233' }: Settings,
  supervised: boolean,
): Promise<ConnectionSettings> {
  if (supervised) return { address: temporalAddress };
  const { loadClientConnectConfig } = await import('@temporalio/envconfig');
  return { ...loadClientConnectConfig().connectionOptions, address: temporalAddress };
}
