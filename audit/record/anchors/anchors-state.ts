/** Reads a state folder's anchors, for verifying its logs. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

import { isSignedBy, parseAnchor, toAnchorFile, toAnchorFolder } from './anchor.ts';
import type { Anchor } from './anchor.ts';
import type { Head } from '../line.ts';
import { readTextIfAny } from '../once.ts';
import { readRegister } from './register.ts';
import type { RegisterReading } from './register.ts';
import { readSigningKey } from '../keys/signing-key.ts';
import type { PublicKey } from '../keys/signing-key.ts';
import { readWitness, toWitnessFolder } from './witness.ts';
import type { WitnessReading } from './witness.ts';
import { ifMissing } from '../missing.ts';

/** A finding about a file, relative to the state folder. */
interface Remark {
  readonly file: string;
  readonly line?: number;
  readonly what: string;
}

export interface AnchorsReading {
  /** Heads from all valid anchors, by log file name. */
  readonly heads: ReadonlyMap<string, Head>;
  readonly findings: readonly Remark[];
  readonly notes: readonly Remark[];
}

const rereads = 5;

/** Undefined if the text is not an anchor. Retries, because a read may meet a half-done write. */
const readAnchor = async (
  file: string,
  key: PublicKey | undefined,
): Promise<{ readonly anchor?: Anchor; readonly what?: string }> => {
  for (let tries = 0; ; tries++) {
    const text = readTextIfAny(file);
    const anchor = text === undefined ? undefined : parseAnchor(text);
    if (anchor !== undefined && (key === undefined || isSignedBy(anchor, key))) return { anchor };
    if (text === undefined) return {};
    if (tries < rereads) await setTimeout(2);
    else if (anchor === undefined) return { what: 'is not an anchor' };
    else if (anchor.key !== key?.id) return { what: `is signed by another key (${anchor.key})` };
    else return { what: 'is not what was signed: its signature does not match its content' };
  }
};

const judgeRegister = (
  register: RegisterReading | undefined,
  heads: ReadonlyMap<string, Head>,
  listed: number,
): Remark[] => {
  const file = 'anchors/register.jsonl';
  const length = register?.verification.ok === true ? register.verification.records : 0;
  if (register === undefined) {
    return listed > 0 ? [{ file, what: `is gone: it had at least ${listed} records` }] : [];
  }
  const { verification, anchored, lost, unsigned } = register;
  const findings: Remark[] = [];
  if (!verification.ok) findings.push({ file, line: verification.line, what: verification.why });
  else if (length < listed) {
    findings.push({ file, line: length + 1, what: `was cut: it had at least ${listed} records` });
  }
  for (const line of unsigned) {
    findings.push({ file, line, what: 'is not signed by the key of this record' });
  }
  for (const { line, log, records, head, why, time } of lost) {
    const had = records > 0 ? `; it had ${records} records, the last ${head}` : '';
    const what = `${log} ${why} before ${time}${had}`;
    findings.push({ file, line, what });
  }
  for (const log of anchored) {
    if (heads.has(log) || lost.some((entry) => entry.log === log)) continue;
    findings.push({ file: toAnchorFile('anchors', log), what: `is gone: ${log} was anchored` });
  }
  return findings;
};

/** Reads all anchors. Without a key, signatures are not checked. */
export const readAnchors = async (root: string, keyFile: string): Promise<AnchorsReading> => {
  const folder = toAnchorFolder(root);
  // Before the anchors, because a copy is written after its anchor.
  const witness = await readWitness(toWitnessFolder(root, keyFile));
  const key = readSigningKey(keyFile);
  // Before the anchors, because a listed log already has one.
  let register = await readRegister(folder, key);
  const names = await readdir(folder).catch(ifMissing([]));
  const heads = new Map<string, Head>();
  const findings: Remark[] = [];
  let listed = 0;
  for (const name of names.filter((entry) => entry.endsWith('.json')).toSorted()) {
    const { anchor, what } = await readAnchor(join(folder, name), key);
    const log = name.replace(/json$/, 'jsonl');
    const wrong =
      what ?? (anchor !== undefined && anchor.log !== log ? `is that of ${anchor.log}` : undefined);
    if (wrong !== undefined) findings.push({ file: `anchors/${name}`, what: wrong });
    if (anchor === undefined || wrong !== undefined) continue;
    heads.set(log, anchor.head);
    listed = Math.max(listed, anchor.listed);
  }
  const counted = register?.verification;
  // Logs anchored in the meantime appear when it is read again.
  if (counted?.ok === true && counted.records < listed) register = await readRegister(folder, key);
  const damaged = new Set(findings.map(({ file }) => file));
  findings.push(...judgeRegister(register, heads, listed).filter(({ file }) => !damaged.has(file)));
  const notes: Remark[] = [];
  if (key === undefined && heads.size > 0) {
    const what = `are compared, but not their signatures: the key ${keyFile} is missing`;
    notes.push({ file: 'anchors', what });
  }
  if (witness !== undefined) findings.push(...judgeWitness(witness, heads, findings, register));
  else if (heads.size > 0) {
    const what =
      `nothing outside this folder remembers how far its logs had come (${toWitnessFolder(root, keyFile)} is not there): ` +
      'if the whole folder was put back to an earlier state, or logs were removed with their anchors, it cannot be seen here';
    notes.push({ file: 'anchors', what });
  }
  return { heads, findings, notes };
};

/** Raises heads to what the witness remembers, if later, and reports what was removed or rolled back. */
const judgeWitness = (
  { kept, lost }: WitnessReading,
  heads: Map<string, Head>,
  known: readonly Remark[],
  register: RegisterReading | undefined,
): Remark[] => {
  const findings: Remark[] = [];
  const isSaid = (file: string): boolean => known.some((finding) => finding.file === file);
  for (const [log, { head }] of kept) {
    const inside = heads.get(log);
    const file = toAnchorFile('anchors', log);
    if (inside === undefined && !isSaid(file))
      findings.push({ file, what: `is gone: ${log} was anchored` });
    if (inside !== undefined && inside.seq < head.seq) {
      const what = `is older than what is remembered outside this folder: it says ${inside.seq} records of ${log}, there were ${head.seq}`;
      findings.push({ file, what });
    }
    if (inside === undefined || inside.seq < head.seq) heads.set(log, head);
  }
  for (const { log, head } of lost) {
    if (register?.lost.some((entry) => entry.log === log && entry.head === head.hash)) continue;
    const what = `was deleted, emptied or put back, and began anew; it had ${head.seq} records, the last ${head.hash}`;
    findings.push({ file: log.startsWith('run-') ? log : `audit/${log}`, what });
  }
  return findings;
};
