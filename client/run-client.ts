/** Access to runs through Temporal, for everything that shows or steers them. */
import { createLookups } from './temporal/lookups.ts';
import { createRequests } from './temporal/requests.ts';
import { connectServer } from './temporal/server.ts';
import type { Discretion, Target } from './temporal/server.ts';

export type RunClient = ReturnType<typeof createRequests> &
  ReturnType<typeof createLookups> & { readonly address: string; close(): Promise<void> };

/** @throws ClientError naming the address; KeyFileError if payloads must be encrypted and cannot be. */
export async function connectClient(target: Target, settings: Discretion): Promise<RunClient> {
  const server = await connectServer(target, settings);
  return {
    ...createRequests(server),
    ...createLookups(server),
    address: server.address,
    close: () => server.connection.close(),
  };
}
