import { Connection } from '@temporalio/client';
import type { ConnectionOptions } from '@temporalio/client';
import { toSocketPath } from '../config/address.ts';

/** Connects a client to Temporal, through a socket for `unix:/path`. */
export async function connectTemporal(options: ConnectionOptions): Promise<Connection> {
  const { address, ...rest } = options;
  const path = address === undefined ? undefined : toSocketPath(address);
  if (address === undefined || path === undefined) return await Connection.connect(options);
  // The SDK validates addresses as `host:port`; the gRPC client below it can dial sockets.
  class SocketConnection extends Connection {
    static override readonly Client = class extends Connection.Client {
      constructor(_address: string, ...more: RestOf<typeof Connection.Client>) {
        super(address as string, ...more);
      }
    };
  }
  return await SocketConnection.connect(rest);
}

type RestOf<C extends abstract new (...args: never[]) => unknown> =
  ConstructorParameters<C> extends [unknown, ...infer More] ? More : never;
