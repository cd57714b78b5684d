import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { writePrivate } from '../private-file.ts';

/**
 * Where the parts listen. Chosen once and kept across restarts, even `agent down`: clients reconnect, browser tabs stay
 * valid, and an unfinished run finds its demo model and workspace queue again.
 */
export interface Addresses {
  readonly temporal: number;
  readonly webUi: number;
  readonly control: number;
  readonly demo: number;
  /** Port of Temporal's own Web UI, if it has no network namespace. */
  readonly innerUi: number;
  /** Whether any run asked for the demo model. */
  readonly demoUsed: boolean;
  /** Opens the Web UI; 128 random bits. */
  readonly webKey: string;
  /** Folder of the sockets to Temporal, if it has or had its own network namespace. */
  readonly sockets?: string;
  /** The host's name at the first start: laptops change theirs with the network. */
  readonly host: string;
}

const ports = ['temporal', 'webUi', 'control', 'demo', 'innerUi'] as const;

const isFree = (port: number): Promise<number | undefined> =>
  new Promise((resolve) => {
    const server = createServer();
    server.on('error', () => resolve(undefined));
    server.listen({ port, host: '127.0.0.1' }, () => {
      const address = server.address();
      const bound = typeof address === 'object' ? address?.port : undefined;
      server.close(() => resolve(bound));
    });
  });

/** A killed process keeps its ports for some milliseconds after its main thread is gone. */
const waitForFree = async (port: number): Promise<number | undefined> => {
  const deadline = Date.now() + 2_000;
  for (;;) {
    const free = await isFree(port);
    if (free !== undefined || Date.now() > deadline) return free;
    await setTimeout(20);
  }
};

const fileOf = (root: string): string => join(root, 'addresses.json');

const readKept = (root: string): Partial<Addresses> => {
  try {
    return JSON.parse(readFileSync(fileOf(root), 'utf8')) as Partial<Addresses>;
  } catch {
    return {}; // Absent or damaged: ports can be chosen anew.
  }
};

/** Merges new values into the file, atomically. */
export function keepAddresses(root: string, change: Partial<Addresses>): void {
  writePrivate(fileOf(root), JSON.stringify({ ...readKept(root), ...change }));
}

/** The stored addresses; missing or taken ones are replaced by free loopback ports. */
export async function chooseAddresses(root: string, host = hostname()): Promise<Addresses> {
  const kept = readKept(root);
  const chosen = new Set<number>();
  const choose = async (name: (typeof ports)[number]): Promise<number> => {
    const wanted = kept[name];
    const usable = Number.isInteger(wanted) && Number(wanted) > 1023 && Number(wanted) < 65_536;
    let port = usable ? await waitForFree(Number(wanted)) : undefined;
    while (port === undefined || chosen.has(port)) port = await isFree(0);
    chosen.add(port);
    return port;
  };
  const addresses: Addresses = {
    temporal: await choose('temporal'),
    webUi: await choose('webUi'),
    control: await choose('control'),
    demo: await choose('demo'),
    innerUi: await choose('innerUi'),
    demoUsed: kept.demoUsed === true,
    webKey:
      typeof kept.webKey === 'string' && /^[\w-]{22}$/.test(kept.webKey)
        ? kept.webKey
        : randomBytes(16).toString('base64url'),
    sockets: typeof kept.sockets === 'string' ? kept.sockets : undefined,
    host: typeof kept.host === 'string' ? kept.host : host,
  };
  keepAddresses(root, addresses);
  return addresses;
}
