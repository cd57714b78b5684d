import { join } from 'node:path';
import { toText } from '../../snapshots/byte-path.ts';
import { openReach } from './reach.ts';
import { identifyProcess, isAlive, readBefore, readRecord } from './record.ts';
import type { Before } from './record.ts';
import { isNameable, openWorkspace } from './scan.ts';
import { settleWorkspace } from './settle-workspace.ts';
import { removeTemporaries } from './take-over.ts';

/** This process, as named in a record. */
export const self = identifyProcess(process.pid) ?? String(process.pid);
/** Number of this process's active guards per workspace. */
const atWork = new Map<string, number>();

/** Registers an active guard; the returned function ends it. */
export function beginWork(root: string): () => void {
  atWork.set(root, (atWork.get(root) ?? 0) + 1);
  return () => void atWork.set(root, (atWork.get(root) ?? 1) - 1);
}

/** If so, nothing counts as having existed. */
const unknown: Before = {
  states: new Map(),
  pointers: new Map(),
  included: [],
  covered: new Set(),
};

/**
 * For a command whose end nobody saw: disarms what it left in git folders, as if it had just ended. Returns what was
 * not kept. Does nothing if there is nothing to do.
 */
export async function recoverGit({
  root,
  folder,
}: {
  readonly root: string;
  readonly folder: string;
}): Promise<string[]> {
  const record = readRecord(folder, root);
  if (record?.busy === undefined) return [];
  if (record.busy === self ? (atWork.get(root) ?? 0) > 0 : isAlive(record.busy)) return [];
  const reach = openReach(root);
  try {
    const workspace = openWorkspace(root, reach);
    const places = await workspace.find('open');
    for (const path of places.folders)
      if (isNameable(path)) removeTemporaries(join(root, toText(path)));
    const before = readBefore(folder, root) ?? unknown;
    return await settleWorkspace(workspace, { folder, places, before, own: new Set(record.own) });
  } finally {
    reach.close();
  }
}
