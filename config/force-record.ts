/** Which policy is in force, as the state folder says it. Whoever only asks that need not read how policies are read. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Preset } from '../policies/presets.ts';

/** What the state folder says of the policy in force. */
export interface ForceRecord {
  readonly sha256: string;
  /** Where it came from; absolute. */
  readonly dir: string;
  readonly preset: Preset;
  /** The file of what a person allowed always; absent in older records. */
  readonly always?: string;
  readonly by: string;
  /** RFC 3339. */
  readonly since: string;
}

export const toPolicyFolder = (root: string): string => join(root, 'policy');
export const toRecordFile = (root: string): string => join(toPolicyFolder(root), 'in-force.json');

/** What is in force in a state folder; undefined when nothing is, as before the first start. */
export function readForceRecord(root: string): ForceRecord | undefined {
  try {
    return JSON.parse(readFileSync(toRecordFile(root), 'utf8')) as ForceRecord;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Forgets what is in force, so that the next worker takes the policy folder as it is by then. */
export const clearForceRecord = (root: string): void => rmSync(toRecordFile(root), { force: true });
