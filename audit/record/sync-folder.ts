import { closeSync, constants, fsyncSync, openSync } from 'node:fs';

/** Makes the names in a folder durable: those that were added, and that others are gone. */
export function syncFolder(folder: string): void {
  const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
