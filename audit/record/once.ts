/** Small private files that are written exactly once, and reading files that may not exist. */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { ifThere } from './missing.ts';

/**
 * Creates a file (0600, its folder 0700) atomically, never overwriting: of several concurrent processes, one wins.
 * False if it exists. @throws the system's error if it cannot be created.
 */
export function writeOnce(
  file: string,
  text: string | Buffer,
  temp = `${file}.${randomUUID()}.tmp`,
): boolean {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  try {
    const fd = openSync(temp, 'wx', 0o600);
    try {
      writeFileSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    linkSync(temp, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(temp, { force: true });
  }
}

/** A file's text; undefined if there is no file. */
export const readTextIfAny = (file: string): string | undefined =>
  ifThere(() => readFileSync(file, 'utf8'));
