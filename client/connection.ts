import { Connection } from '@temporalio/client';
import type { ConnectionOptions } from '@temporalio/client';
import { toSocketPath } from '../config/address.ts';

/** Connects a client to Temporal, by way of a socket where the address is `unix:/path`. */
export async function connectTemporal(options: ConnectionOptions): Promise<Connection> {
  const { address, ...rest } = options;
  const path = address === undefined ? undefined : toSocketPath(address);
  if (address === undefined || path === undefined) return await Connection.connect(options);
  // The SDK's check of addresses knows `host:port` only; the client below it dials sockets as well.
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
