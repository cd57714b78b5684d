/** The list of anchored logs: a chained file with signed records, so that no anchor vanishes unnoticed. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { readChain, verifyChain } from '../chain.ts';
import type { Verification } from '../chain.ts';
import type { ChainRecord } from '../line.ts';
import { releaseLock, waitForLock } from '../lock.ts';
import type { PublicKey, SigningKey } from '../keys/signing-key.ts';
import { openWriter } from '../writer.ts';

const identity = 'anchors';
const patienceMs = 10_000;

/** A log has an anchor now, or its anchored state was lost. */
export type RegisterEntry =
  | { readonly kind: 'anchored'; readonly log: string }
  | {
      readonly kind: 'lost';
      readonly log: string;
      readonly records: number;
      readonly head: string;
      readonly why: string;
      readonly time: string;
    };

export const toRegisterFile = (folder: string): string => join(folder, 'register.jsonl');

const toSigned = (prev: string, entry: RegisterEntry): string => {
  const facts = entry.kind === 'lost' ? [entry.records, entry.head, entry.why, entry.time] : [];
  return ['dev-agent register v1', prev, entry.kind, entry.log, ...facts].join('\0');
};

/** Appends the entry, unless that log is already listed as anchored. Returns the number of records. */
export const register = async (
  folder: string,
  key: SigningKey,
  entry: RegisterEntry,
): Promise<number> => {
  const file = toRegisterFile(folder);
  const lock = `${file}.lock`;
  await waitForLock(lock, patienceMs);
  try {
    const isThere = entry.kind === 'anchored' && (await isRegistered(folder, entry.log));
    const writer = await openWriter(file, identity);
    try {
      await writer.catchUp();
      if (!isThere) {
        const signature = key.sign(toSigned(writer.head.hash, entry));
        await writer.append([{ ...entry, key: key.id, signature }]);
      }
      return writer.head.seq;
    } finally {
      await writer.close();
    }
  } finally {
    releaseLock(lock);
  }
};

/** True if the log was ever anchored. */
export const isRegistered = async (folder: string, log: string): Promise<boolean> => {
  const file = toRegisterFile(folder);
  if (!existsSync(file)) return false;
  for await (const record of readChain(file)) {
    if (record['kind'] === 'anchored' && record['log'] === log) return true;
  }
  return false;
};

export interface RegisterReading {
  readonly verification: Verification;
  readonly anchored: ReadonlySet<string>;
  readonly lost: readonly (Extract<RegisterEntry, { kind: 'lost' }> & { readonly line: number })[];
  /** Lines whose signature is not by the key. */
  readonly unsigned: readonly number[];
}

/** Verifies the register; undefined if there is none. Without a key, signatures are not checked. */
export const readRegister = async (
  folder: string,
  key: PublicKey | undefined,
): Promise<RegisterReading | undefined> => {
  const file = toRegisterFile(folder);
  if (!existsSync(file)) return undefined;
  const anchored = new Set<string>();
  const lost: RegisterReading['lost'][number][] = [];
  const unsigned: number[] = [];
  const see = (record: ChainRecord, _: string, line: number): void => {
    if (record['kind'] !== 'anchored' && record['kind'] !== 'lost') return;
    const entry = record as unknown as RegisterEntry & { key: string; signature: string };
    if (entry.kind === 'lost') lost.push({ ...entry, line });
    else anchored.add(entry.log);
    if (key === undefined) return;
    if (entry.key !== key.id || !key.isSigned(toSigned(record.prev, entry), entry.signature)) {
      unsigned.push(line);
    }
  };
  const verification = await verifyChain(file, identity, see);
  return { verification, anchored, lost, unsigned };
};
