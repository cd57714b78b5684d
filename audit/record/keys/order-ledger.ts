/**
 * Which orders were used, and by what: one permanent file per order in the state folder. The first chain of executions
 * to use an order owns it for good.
 */
import { closeSync, fsyncSync, openSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Order } from '../../../activities/contract/approval.ts';
import { toTempName } from '../../../config/temporary.ts';
import { readTextIfAny, writeOnce } from '../once.ts';
import { noncePattern } from './order-signature.ts';
import type { SignedOrder } from './order-signature.ts';
import { syncFolder } from '../sync-folder.ts';
import { ifThere } from '../missing.ts';

export interface UsedOrder {
  readonly signed: SignedOrder;
  readonly signature: Order['signature'];
  /** Run id of the owning chain's first execution. */
  readonly chain: string;
  /** RFC 3339 time of first use. */
  readonly since: string;
}

export interface OrderLedger {
  read(nonce: string): UsedOrder | undefined;
  /** Durable when it returns. Returns the owner: of several concurrent claims, one wins. */
  claim(used: UsedOrder): UsedOrder;
  /** The order's work ended in this execution: no other may continue it, not even in the same chain. */
  end(nonce: string, execution: string): void;
  /** The execution in which it ended. */
  readEnd(nonce: string): string | undefined;
  /** A run was ended from outside: none of its orders may be continued, nor `nonce` if no worker has used it yet. */
  endRun(run: string, nonce?: string): void;
  /** Records that an execution belongs to the order. */
  see(nonce: string, execution: string): void;
  /** In order of first sight. */
  readSeen(nonce: string): readonly string[];
  /** A run's order; the newest, if several runs had the name. */
  find(run: string): UsedOrder | undefined;
}

/** Stands for the final execution if a run was ended from outside. */
const fromOutside = 'outside';

export function createOrderLedger(folder: string): OrderLedger {
  const toFile = (nonce: string): string => join(folder, `${nonce}.json`);
  const toEndFile = (nonce: string): string => join(folder, `${nonce}.ended`);
  const read = (nonce: string): UsedOrder | undefined => {
    const text = readTextIfAny(toFile(nonce));
    return text === undefined ? undefined : (JSON.parse(text) as UsedOrder);
  };
  const toSeenFile = (nonce: string): string => join(folder, `${nonce}.seen`);
  const readSeen = (nonce: string): string[] =>
    (readTextIfAny(toSeenFile(nonce)) ?? '').split('\n').filter((line) => line !== '');
  const list = (run: string): UsedOrder[] =>
    listNonces(folder)
      .flatMap((nonce) => read(nonce) ?? [])
      .filter(({ signed }) => signed.kind === 'run' && signed.input.run === run)
      .toSorted((a, b) => a.since.localeCompare(b.since));
  return {
    read,
    claim(used) {
      const { nonce } = used.signed;
      keep(folder, toFile(nonce), JSON.stringify(used));
      const found = read(nonce);
      if (found === undefined) throw new Error(`${toFile(nonce)} was made and is gone.`);
      return found;
    },
    end: (nonce, execution) => keep(folder, toEndFile(nonce), execution),
    readEnd: (nonce) => readTextIfAny(toEndFile(nonce)),
    endRun(run, nonce = '') {
      const unused = noncePattern.test(nonce) && read(nonce) === undefined ? [nonce] : [];
      const used = list(run).map(({ signed }) => signed.nonce);
      for (const each of [...used, ...unused]) keep(folder, toEndFile(each), fromOutside);
    },
    see(nonce, execution) {
      if (!readSeen(nonce).includes(execution)) addLine(folder, toSeenFile(nonce), execution);
    },
    readSeen,
    find: (run) => list(run).at(-1),
  };
}

function keep(folder: string, file: string, text: string): void {
  if (writeOnce(file, text, join(folder, toTempName()))) syncFolder(folder);
}

function addLine(folder: string, file: string, line: string): void {
  const fd = openSync(file, 'a', 0o600);
  try {
    writeSync(fd, `${line}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  syncFolder(folder);
}

const listNonces = (folder: string): string[] =>
  ifThere(() => readdirSync(folder))?.flatMap((name) => /^(.+)\.json$/.exec(name)?.[1] ?? []) ?? [];
