import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

import { toStateFolders } from '../config/folders.ts';
import { createBlobStore } from './blobs.ts';
import { verifyChain } from './chain.ts';
import type { Verification } from './chain.ts';
import type { ChainRecord } from './line.ts';
import { readDays, toDayIdentity } from './log.ts';

/** Something that is not as it was written. `file` is relative to the state folder. */
export interface Finding {
  readonly file: string;
  readonly line?: number;
  readonly what: string;
}

/** What was looked at, and all that was found wrong. */
export interface StateVerification {
  readonly files: number;
  readonly records: number;
  readonly findings: readonly Finding[];
}

interface Mention {
  readonly file: string;
  readonly line: number;
}

// A whole JSON string only: text that quotes a digest, such as that of a container image, is no reference.
const refInLine = /(?<!\\)(?<!"(?:digest|policy)":)"(sha256:[0-9a-f]{64})"/g;

const readNames = async (folder: string, read: (folder: string) => Promise<string[]>) =>
  read(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });

const judgeBlob = async (file: string, ref: string): Promise<string | undefined> => {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(file), hash);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? `missing blob ${ref}` : `blob ${ref} cannot be read: ${code}`;
  }
  const found = hash.digest('hex');
  return `sha256:${found}` === ref
    ? undefined
    : `blob ${ref} was changed: hashes to sha256:${found}`;
};

/** What the first record of a day must be, given the day before it. */
const judgeLink = (
  first: ChainRecord | undefined,
  previous: string | undefined,
  head: string | undefined,
): string | undefined => {
  if (first === undefined) return undefined;
  if (previous === undefined) {
    return first['kind'] === 'link'
      ? `links to ${String(first['previous'])}, which is not there`
      : undefined;
  }
  if (first['kind'] !== 'link') return `does not link to ${previous}`;
  if (first['previous'] !== previous) {
    return `links to ${String(first['previous'])}, but the day before it is ${previous}`;
  }
  // A day that failed to verify has no head to compare; that is a finding of its own.
  if (head === undefined || first['head'] === head) return undefined;
  return `links to another end of ${previous} than it has: records were removed or added there`;
};

/**
 * Verifies the mirrors of all runs (or of `run`), the audit log with the links between its days, and every blob
 * that their records name (with `run`: that the run's records name). Changes nothing.
 */
export const verifyState = async (
  root: string,
  { run }: { readonly run?: string | undefined } = {},
): Promise<StateVerification> => {
  const folders = toStateFolders(root);
  const findings: Finding[] = [];
  const mentions = new Map<string, Mention>();
  let files = 0;
  let records = 0;

  const verifyFile = async (
    file: string,
    identity: string,
    see?: (record: ChainRecord) => void,
  ): Promise<Verification> => {
    files++;
    const result = await verifyChain(join(root, file), identity, (record, text, line) => {
      records++;
      see?.(record);
      if (run !== undefined && record['run'] !== run && identity !== `run ${run}`) return;
      for (const [, ref] of text.matchAll(refInLine)) {
        if (ref !== undefined && !mentions.has(ref)) mentions.set(ref, { file, line });
      }
    });
    if (!result.ok) findings.push({ file, line: result.line, what: result.why });
    return result;
  };

  const runLogs = (await readNames(root, readdir)).filter((name) =>
    run === undefined ? /^run-.+\.jsonl$/.test(name) : name === `run-${run}.jsonl`,
  );
  if (run !== undefined && runLogs.length === 0) {
    findings.push({ file: `run-${run}.jsonl`, what: 'is missing: the run has no mirror' });
  }
  for (const name of runLogs.toSorted()) {
    await verifyFile(name, `run ${name.slice('run-'.length, -'.jsonl'.length)}`);
  }

  let previous: { readonly name: string; readonly head: string | undefined } | undefined;
  for (const name of await readNames(folders.audit, readDays)) {
    const file = `audit/${name}`;
    let first: ChainRecord | undefined;
    const result = await verifyFile(file, toDayIdentity(name), (record) => {
      // A day whose very first write was cut off begins with its repair.
      if (record['kind'] !== 'repair') first ??= record;
    });
    const what = judgeLink(first, previous?.name, previous?.head);
    if (what !== undefined) findings.push({ file, line: 1, what });
    previous = { name, head: result.ok ? result.head.hash : undefined };
  }

  const blobs = createBlobStore(folders.blobs);
  for (const [ref, { file, line }] of mentions) {
    const what = await judgeBlob(blobs.pathOf(ref), ref);
    if (what !== undefined) findings.push({ file, line, what });
  }
  return { files, records, findings };
};
