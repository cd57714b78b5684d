import { chmodSync, closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import type { BytePath } from '../../snapshots/byte-path.ts';
import type { Reach } from './reach.ts';

/** Undefined if it is not a regular file, or too large. Makes it readable if its owner cannot read it. */
export function readOrdinary(reach: Reach, path: BytePath, maxBytes: number): Buffer | undefined {
  const fd = openOrdinary(reach, path);
  if (fd === undefined) return undefined;
  try {
    const stat = fstatSync(fd);
    return stat.isFile() && stat.size <= maxBytes ? readFileSync(fd) : undefined;
  } finally {
    closeSync(fd);
  }
}

function openOrdinary(reach: Reach, path: BytePath): number | undefined {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const open = (): number => openSync(reach.address(path), flags);
  try {
    return open();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') return undefined;
  }
  try {
    chmodSync(reach.address(path), 0o600);
    return open();
  } catch {
    return undefined;
  }
}
