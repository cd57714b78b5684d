import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { toSocketAddress } from '../config/address.ts';
import type { Settings } from '../config/environment.ts';
import type { Addresses } from './addresses.ts';
import { writeAddresses } from './addresses.ts';
import type { TemporalPlace } from './parts.ts';
import type { WebUiOptions } from './web-ui.ts';
import { findObstacle, innerPorts, prepareSocketFolder } from './private-network.ts';

/** With the reason where every user of this machine can reach it. */
export type Place = TemporalPlace & { readonly exposed?: string };

/** Why Temporal's ports are on the loopback interface of this machine; undefined when they are not. */
export const findExposure = async ({
  unsafeTemporalPort,
}: Pick<Settings, 'unsafeTemporalPort'>): Promise<string | undefined> =>
  unsafeTemporalPort ? 'AGENT_UNSAFE_TEMPORAL_PORT=true' : await findObstacle();

/** Temporal's place: a network of its own where this machine has such. */
export function choosePlace(
  root: string,
  addresses: Addresses,
  exposed: string | undefined,
): Place {
  if (exposed !== undefined) {
    return {
      address: `127.0.0.1:${addresses.temporal}`,
      ports: { temporal: addresses.temporal, webUi: addresses.innerUi },
      // It does what a page of any name asks. No page can know this one of its 16 million addresses; others have but one.
      ...(process.platform === 'linux' ? { uiHost: toHiddenHost() } : {}),
      exposed,
    };
  }
  const sockets = prepareSocketFolder(root, addresses.sockets);
  // Clients of a stack that comes back look for it where it was.
  if (sockets !== addresses.sockets) writeAddresses(root, { ...addresses, sockets });
  return {
    address: toSocketAddress(join(sockets, 'temporal.sock')),
    ...{ sockets, ports: innerPorts, uiHost: '127.0.0.1' },
  };
}

const toHiddenHost = (): string =>
  `127.${[randomInt(1, 255), randomInt(1, 255), randomInt(1, 255)].join('.')}`;

/** Where Temporal's own Web UI listens. */
export function toUpstream({ sockets, ports, uiHost }: Place): WebUiOptions['upstream'] {
  if (sockets !== undefined) return { socketPath: join(sockets, 'web.sock') };
  return uiHost === undefined ? undefined : { host: uiHost, port: ports.webUi };
}
