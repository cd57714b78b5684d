import type { Settings } from '../config/environment.ts';

/** What a client needs to reach Temporal; TLS and keys where the operator configured them. */
export interface ConnectionSettings {
  readonly address: string;
}

/**
 * `supervised`: a part of the local stack, whose address is all there is to know. Elsewhere `TEMPORAL_*` and
 * temporal.toml have their say; a profile meant for a cluster must not put TLS on the local stack.
 */
export async function readConnectionOptions(
  { temporalAddress = '127.0.0.1:7233' }: Settings,
  supervised: boolean,
): Promise<ConnectionSettings> {
  if (supervised) return { address: temporalAddress };
  const { loadClientConnectConfig } = await import('@temporalio/envconfig');
  return { ...loadClientConnectConfig().connectionOptions, address: temporalAddress };
}
