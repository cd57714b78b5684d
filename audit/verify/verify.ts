import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';

import { toStateFolders } from '../../config/folders.ts';
import { createBlobStore, isRef } from '../record/blobs.ts';
import { readAnchors } from '../record/anchors/anchors-state.ts';
import { cutOff, scanChain } from '../record/chain.ts';
import type { ChainRecord, Head } from '../record/line.ts';
import { readDays, toDayIdentity } from '../record/log.ts';
import { findOpenRefs } from '../record/refs.ts';
import type { Scan } from '../record/scan.ts';
import { toKeyFile } from '../record/keys/signing-key.ts';
import { ifMissing } from '../record/missing.ts';

/** Something that is not as it was written. `file` is relative to the state folder. */
export interface Finding {
  readonly file: string;
  readonly line?: number;
  readonly what: string;
}

/** What was checked, and everything found wrong. */
export interface StateVerification {
  readonly files: number;
  readonly records: number;
  readonly findings: readonly Finding[];
  /** Worth knowing, but not wrong. */
  readonly notes: readonly Finding[];
}

interface Mention {
  readonly file: string;
  readonly line: number;
}

const readNames = async (folder: string, read: (folder: string) => Promise<string[]>) =>
  read(folder).catch(ifMissing([]));

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

/** Every blob in the store, by file name. */
const readRefs = async (folder: string): Promise<string[]> => {
  const refs: string[] = [];
  for (const first of await readNames(join(folder, 'sha256'), readdir)) {
    for (const rest of await readNames(join(folder, 'sha256', first), readdir)) {
      if (isRef(`sha256:${first}${rest}`)) refs.push(`sha256:${first}${rest}`);
    }
  }
  return refs;
};

/** Checks a day's first record against the day before. */
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
  // A day that failed to verify has no head to compare; that is its own finding.
  if (head === undefined || first['head'] === head) return undefined;
  return `links to another end of ${previous} than it has: records were removed or added there`;
};

interface Judgement {
  readonly finding?: Omit<Finding, 'file'>;
  readonly note?: Omit<Finding, 'file'>;
}

/** Judges the end of a log by its anchor. */
const judgeEnd = (found: Scan, anchor: Head | undefined, rewritten: boolean): Judgement => {
  if (found.kind === 'bad') return { finding: { line: found.line, what: found.why } };
  const { seq } = found.head;
  if (rewritten) {
    const what = 'is another one than was anchored: the log was rewritten, with new hashes';
    return { finding: { line: anchor?.seq ?? seq, what } };
  }
  if (anchor !== undefined && seq < anchor.seq) {
    const what = `is gone: the log was cut, it had at least ${anchor.seq} records`;
    return { finding: { line: seq + 1, what } };
  }
  if (found.kind === 'torn') {
    const line = seq + 1;
    // Everything acknowledged is there: a writer was killed midway, and the next one repairs it.
    return anchor !== undefined || seq === 0
      ? { note: { line, what: 'was not finished; the next writer removes it' } }
      : { finding: { line, what: cutOff } };
  }
  return anchor === undefined
    ? { note: { what: 'has no anchor: its end cannot be verified' } }
    : {};
};

/**
 * Verifies the mirrors of all runs (or of `run`), the audit log with the links between its days, their anchors, and
 * every blob their records name (with `run`: only that run's). Changes nothing.
 */
export const verifyState = async (
  root: string,
  {
    run,
    keyFile = toKeyFile(),
  }: { readonly run?: string | undefined; readonly keyFile?: string } = {},
): Promise<StateVerification> => {
  const folders = toStateFolders(root);
  const findings: Finding[] = [];
  const notes: Finding[] = [];
  const mentions = new Map<string, Mention>();
  let files = 0;
  let records = 0;

  // Read first: an anchored head was in its log before.
  const anchors = await readAnchors(root, keyFile);
  const isWanted = (log: string): boolean =>
    run === undefined || !log.startsWith('run-') || log === `run-${run}.jsonl`;
  findings.push(...anchors.findings);
  notes.push(...anchors.notes);

  /** The hash of the last record, if the log is whole. */
  const verifyFile = async (
    file: string,
    identity: string,
    see?: (record: ChainRecord) => void,
  ): Promise<string | undefined> => {
    files++;
    const anchor = anchors.heads.get(basename(file));
    let rewritten = false;
    const found = await scanChain(join(root, file), identity, (record, text, line) => {
      records++;
      rewritten ||= record.seq === anchor?.seq && record.hash !== anchor.hash;
      see?.(record);
      if (run !== undefined && record['run'] !== run && identity !== `run ${run}`) return;
      for (const ref of findOpenRefs(text))
        if (!mentions.has(ref)) mentions.set(ref, { file, line });
    });
    const judgement = judgeEnd(found, anchor, rewritten);
    if (judgement.finding !== undefined) findings.push({ file, ...judgement.finding });
    if (judgement.note !== undefined) notes.push({ file, ...judgement.note });
    return found.kind === 'good' ? found.head.hash : undefined;
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

  const days = await readNames(folders.audit, readDays);
  let previous: { readonly name: string; readonly head: string | undefined } | undefined;
  for (const name of days) {
    const file = `audit/${name}`;
    let first: ChainRecord | undefined;
    const head = await verifyFile(file, toDayIdentity(name), (record) => {
      // A day whose very first write was cut off begins with its repair.
      if (record['kind'] !== 'repair') first ??= record;
    });
    const what = judgeLink(first, previous?.name, previous?.head);
    if (what !== undefined) findings.push({ file, line: 1, what });
    previous = { name, head };
  }

  const present = new Set([...runLogs, ...days]);
  for (const [log, head] of anchors.heads) {
    if (present.has(log) || !isWanted(log)) continue;
    const file = log.startsWith('run-') ? log : `audit/${log}`;
    if (run !== undefined && file === `run-${run}.jsonl`) continue; // Said above.
    findings.push({ file, what: `is gone: it had at least ${head.seq} records, says its anchor` });
  }

  const blobs = createBlobStore(folders.blobs);
  for (const [ref, { file, line }] of mentions) {
    const what = await judgeBlob(blobs.pathOf(ref), ref);
    if (what !== undefined) findings.push({ file, line, what });
  }
  if (run === undefined) {
    // Blobs name further blobs: check those that no record names by their own name.
    for (const ref of await readRefs(folders.blobs)) {
      const what = mentions.has(ref) ? undefined : await judgeBlob(blobs.pathOf(ref), ref);
      const file = relative(root, blobs.pathOf(ref));
      if (what !== undefined) findings.push({ file, what });
    }
  }
  return { files, records, findings, notes };
};
