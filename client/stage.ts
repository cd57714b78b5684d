import { basename, join } from 'node:path';
import type { StateFolders } from '../config/folders.ts';
import type { RunInput } from '../workflows/contract.ts';

/** A staged run's working folder, and what it is a copy of. */
export const toStage = (
  { staged }: Pick<StateFolders, 'staged'>,
  run: string,
  folder: string,
): Pick<RunInput, 'workspace' | 'stagedFrom'> => ({
  workspace: join(staged, run, basename(folder)),
  stagedFrom: folder,
});
