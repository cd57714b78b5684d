import { createRequire } from 'node:module';
import { NativeConnection } from '@temporalio/worker';
import type { NativeConnectionOptions } from '@temporalio/worker';
import { toSocketPath } from '../config/address.ts';

/** Any will do: the other end of the socket knows one server only. */
const target = '127.0.0.1:7233';

type NewClient = (runtime: object, options: object) => Promise<object>;

/** The SDK's native part, the very one that its worker uses. */
const readNative = (): { newClient: NewClient } => {
  const here = createRequire(import.meta.url);
  const bridge = createRequire(here.resolve('@temporalio/worker'))('@temporalio/core-bridge') as {
    native: { newClient: NewClient };
  };
  return bridge.native;
};

/** Connects a worker to Temporal, by way of a socket where the address is `unix:/path`. */
export async function connectNative(options: NativeConnectionOptions): Promise<NativeConnection> {
  const path = toSocketPath(options.address ?? '');
  if (path === undefined) return await NativeConnection.connect(options);
  // The native client dials a socket (as that of an HTTP proxy), but the SDK's check of a proxy's address lets none through.
  const native = readNative();
  const { newClient } = native;
  native.newClient = (runtime, given) =>
    newClient(runtime, {
      ...given,
      httpConnectProxy: { targetHost: `unix:${path}`, basicAuth: null },
    });
  try {
    return await NativeConnection.connect({ ...options, address: target });
  } finally {
    native.newClient = newClient;
  }
}
