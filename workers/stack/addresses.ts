import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { writePrivate } from '../private-file.ts';

/**
 * Where the parts listen. Chosen once and kept over restarts, `agent down` included: clients reconnect, browser tabs
 * stay valid, and an unfinished run finds its demo model and its workspace queue again.
 */
export interface Addresses {
  readonly temporal: number;
  readonly webUi: number;
  readonly control: number;
  readonly demo: number;
  /** Of Temporal's own Web UI, where it has no network of its own. */
  readonly innerUi: number;
  /** Whether a run ever asked for the demo model. */
  readonly demoUsed: boolean;
  /** Opens the Web UI, 128 random bits. */
  readonly webKey: string;
  /** Folder of the sockets that lead to Temporal, where it has a network of its own, or had one before. */
  readonly sockets?: string;
  /** The host's name when the stack was first started: laptops change theirs with the network. */
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

/** A process that was just killed keeps its ports for some milliseconds after its main thread is gone. */
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

/** Keeps what is new beside what is there. Replaces the file in one step. */
export function keepAddresses(root: string, change: Partial<Addresses>): void {
  writePrivate(fileOf(root), JSON.stringify({ ...readKept(root), ...change }));
}

/** The kept addresses, with free ports of the loopback interface for those that are missing or taken by others. */
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
