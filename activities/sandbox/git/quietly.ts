/** File operations on paths that may have vanished or be in use; failures leave them alone. */
import { lstatSync, mkdirSync, readFileSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';

/** False if something else, such as a link, is in the way. */
export function makeFolder(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) mkdirSync(path);
  return stat === undefined || stat.isDirectory();
}

export function unlinkQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Already gone, or a folder by now.
  }
}

export function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // No longer empty, or gone.
  }
}

export function readText(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

export function readNames(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
