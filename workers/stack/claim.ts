import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Held until `release` or until the process is gone, however it ended. */
export interface Claim {
  release(): void;
}

/**
 * Claims the state folder for one supervisor; undefined if another has it. A kernel lock, through SQLite: unlike a pid
 * file it cannot be left behind, and unlike a port it also works between containers sharing the folder.
 */
export function claimFolder(root: string): Claim | undefined {
  const database = new DatabaseSync(join(root, 'supervisor.db'), { timeout: 0 });
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (/locked|busy/i.test((error as Error).message)) return undefined;
    throw error;
  }
  return { release: () => database.close() };
}
