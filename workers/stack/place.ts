import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { toSocketAddress } from '../../config/address.ts';
import type { Settings } from '../../config/environment.ts';
import type { Addresses } from './addresses.ts';
import { keepAddresses } from './addresses.ts';
import type { TemporalPlace } from './parts.ts';
import type { WebUiOptions } from './web-ui.ts';
import { findObstacle, innerPorts } from './private-network.ts';
import { prepareSocketFolder, socketNames } from './sockets.ts';

/** With the reason, if every user of this machine can reach it. */
export type Place = TemporalPlace & { readonly exposed?: string };

/** A private stack can no longer be private. */
export class ExposureError extends Error {
  override readonly name = 'ExposureError';
  readonly exitCode = 78;
  constructor(obstacle: string) {
    super(
      `Temporal would get a port that every user of this machine can use, and had none before: ${obstacle}. ` +
        'Remove the obstacle, or accept it with AGENT_UNSAFE_TEMPORAL_PORT=true',
    );
  }
}

interface Exposure {
  readonly reason: string;
  readonly isAccepted: boolean;
}

/** Why Temporal's ports are on this machine's loopback interface; undefined if they are not. */
export async function findExposure({
  unsafeTemporalPort,
}: Pick<Settings, 'unsafeTemporalPort'>): Promise<Exposure | undefined> {
  if (unsafeTemporalPort) return { reason: 'AGENT_UNSAFE_TEMPORAL_PORT=true', isAccepted: true };
  const reason = await findObstacle();
  return reason === undefined ? undefined : { reason, isAccepted: false };
}

/**
 * Where to put Temporal: in its own network namespace if possible. @throws ExposureError if it had one, cannot have one
 * now, and nobody accepted that.
 */
export function choosePlace(
  root: string,
  addresses: Addresses,
  exposure: Exposure | undefined,
): Place {
  if (exposure !== undefined) {
    const { reason, isAccepted } = exposure;
    if (addresses.sockets !== undefined && !isAccepted) throw new ExposureError(reason);
    return {
      address: `127.0.0.1:${addresses.temporal}`,
      ports: { temporal: addresses.temporal, webUi: addresses.innerUi },
      // It obeys any web page. No page can guess this one of 16 million addresses; other systems have just one.
      uiHost: process.platform === 'linux' ? toHiddenHost() : undefined,
      exposed: reason,
    };
  }
  const sockets = prepareSocketFolder(root, addresses.sockets);
  if (sockets !== addresses.sockets) keepAddresses(root, { sockets });
  return {
    address: toSocketAddress(join(sockets, socketNames.temporal)),
    sockets,
    ports: innerPorts,
    uiHost: '127.0.0.1',
  };
}

const toHiddenHost = (): string =>
  `127.${[randomInt(1, 255), randomInt(1, 255), randomInt(1, 255)].join('.')}`;

/** Where Temporal's own Web UI listens. */
export function toUpstream({
  sockets,
  ports,
  uiHost,
}: Place): ReturnType<WebUiOptions['upstream']> {
  if (sockets !== undefined) return { socketPath: join(sockets, socketNames.web) };
  return uiHost === undefined ? undefined : { host: uiHost, port: ports.webUi };
}
