import { createRequire } from 'node:module';
import { NativeConnection } from '@temporalio/worker';
import type { NativeConnectionOptions } from '@temporalio/worker';
import { toSocketPath } from '../config/address.ts';

/** Any address will do: the socket leads to one server. */
const target = '127.0.0.1:7233';

type NewClient = (runtime: object, options: object) => Promise<object>;

/** The native module the SDK's worker uses. */
const readNative = (): { newClient: NewClient } => {
  const here = createRequire(import.meta.url);
  const bridge = createRequire(here.resolve('@temporalio/worker'))('@temporalio/core-bridge') as {
    native: { newClient: NewClient };
  };
  return bridge.native;
};

/** Connects a worker to Temporal, through a socket for `unix:/path`. */
export async function connectNative(options: NativeConnectionOptions): Promise<NativeConnection> {
  const path = toSocketPath(options.address ?? '');
  if (path === undefined) return await NativeConnection.connect(options);
  // The native client can dial a socket (as an HTTP proxy's), but the SDK's check of proxy addresses rejects it.
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
