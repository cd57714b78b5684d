import { statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readForceRecord, toPolicyFolder, toRecordFile } from './force-record.ts';
import type { ForceRecord } from './force-record.ts';
import type { PolicyBundle } from './policies.ts';
import { readPolicyBundle } from './policies.ts';
import { removeLeftTemps, replaceText, toTempName } from './temporary.ts';

/**
 * The policy this host follows: the copy in the state folder of what was last put in force. The policy folder can be
 * edited freely; changes take effect with `agent policies reload` or the stack's next start.
 */
export interface PolicyInForce {
  /** The current bundle. Costs one stat if nothing changed. */
  current(): Promise<PolicyBundle>;
}

/** The operator's policy folder and always-allow file. */
export interface PolicySource extends Pick<ForceRecord, 'dir' | 'preset'> {
  readonly always: string;
}

export interface Activation {
  readonly bundle: PolicyBundle;
  /** What was in force before, if anything. */
  readonly before?: ForceRecord;
}

const toTemp = (root: string): string => join(toPolicyFolder(root), toTempName());

/**
 * Puts a folder's policy in force: validates it, stores a copy, and switches atomically. @throws PolicyError with every
 * mistake; nothing changes then.
 */
export async function putInForce(
  root: string,
  { dir, preset, always }: PolicySource,
  by: string,
): Promise<Activation> {
  const bundle = await readPolicyBundle(dir, { preset, always });
  const before = readForceRecord(root);
  const copy = join(toPolicyFolder(root), bundle.sha256);
  await mkdir(copy, { recursive: true, mode: 0o700 });
  removeLeftTemps(toPolicyFolder(root));
  for (const [name, text] of Object.entries(bundle.files))
    await replaceText(toTemp(root), join(copy, `${name}.yaml`), text);
  const record: ForceRecord = {
    sha256: bundle.sha256,
    dir: bundle.dir,
    preset,
    always,
    by,
    since: new Date().toISOString(),
  };
  await replaceText(toTemp(root), toRecordFile(root), JSON.stringify(record));
  return { bundle, before };
}

/**
 * Follows the policy in force. An unusable record goes to `report` and the last good bundle stays. @throws Error if
 * nothing is in force, or its copy was changed. `known`: what the caller has just read; it is not read again.
 */
export async function followPolicy(
  root: string,
  report: (error: unknown) => void,
  known?: PolicyBundle,
): Promise<PolicyInForce> {
  removeLeftTemps(toPolicyFolder(root));
  let seen = stampOf(toRecordFile(root));
  let bundle = await readCopy(root, known);
  let reading = Promise.resolve();
  const follow = async (): Promise<void> => {
    try {
      bundle = await readCopy(root);
    } catch (error) {
      report(error);
    }
  };
  return {
    async current() {
      const now = stampOf(toRecordFile(root));
      // No record means the stack is going down: the last policy holds to the end.
      if (now !== seen && now !== '') {
        seen = now;
        reading = reading.then(follow);
      }
      await reading;
      return bundle;
    },
  };
}

/** The stored copy of the bundle in force. */
async function readCopy(root: string, known?: PolicyBundle): Promise<PolicyBundle> {
  const record = readForceRecord(root);
  if (record === undefined) throw new Error(`No policy is in force in ${root}.`);
  if (known?.sha256 === record.sha256) return { ...known, dir: record.dir };
  const folder = join(toPolicyFolder(root), record.sha256);
  const always = join(folder, 'always.yaml');
  const bundle = await readPolicyBundle(folder, { preset: record.preset, always });
  if (bundle.sha256 !== record.sha256)
    throw new Error(
      `The policy in ${folder} was changed: its sha256 is ${bundle.sha256}. Put the operator's in force again: agent policies reload`,
    );
  return { ...bundle, dir: record.dir };
}

function stampOf(file: string): string {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.ino} ${stat.mtimeNs} ${stat.size}`;
}
