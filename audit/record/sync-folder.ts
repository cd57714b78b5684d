import { closeSync, constants, fsyncSync, openSync } from 'node:fs';

/** Makes additions to and removals from a folder durable. */
export function syncFolder(folder: string): void {
  const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
