/**
 * Which policy is in force, according to the state folder. Separate, so that asking does not load the policy parser.
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Preset } from '../policies/presets.ts';

/** The state folder's record of the policy in force. */
export interface ForceRecord {
  readonly sha256: string;
  /** Source folder; absolute. */
  readonly dir: string;
  readonly preset: Preset;
  /** File of the always-allow rules; absent in older records. */
  readonly always?: string;
  readonly by: string;
  /** RFC 3339. */
  readonly since: string;
}

export const toPolicyFolder = (root: string): string => join(root, 'policy');
export const toRecordFile = (root: string): string => join(toPolicyFolder(root), 'in-force.json');

/** The policy in force in a state folder; undefined before the first start. */
export function readForceRecord(root: string): ForceRecord | undefined {
  try {
    return JSON.parse(readFileSync(toRecordFile(root), 'utf8')) as ForceRecord;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Forgets the policy in force, so that the next worker reads the policy folder afresh. */
export const clearForceRecord = (root: string): void => rmSync(toRecordFile(root), { force: true });
