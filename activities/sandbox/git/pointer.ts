import { lstatSync, readlinkSync } from 'node:fs';
import type { BytePath } from '../../snapshots/byte-path.ts';
import { readOrdinary } from './ordinary.ts';
import type { Reach } from './reach.ts';

const maxPointerBytes = 4_096 + 'gitdir: \n'.length;

/** Where a `.git` file or link says the git folder is; undefined if git could not read it. */
export function readPointer(reach: Reach, path: BytePath): BytePath | undefined {
  const stat = lstatSync(reach.address(path), { throwIfNoEntry: false });
  if (stat?.isSymbolicLink() === true) return readlinkSync(reach.address(path), 'latin1');
  const text = readOrdinary(reach, path, maxPointerBytes);
  return text === undefined ? undefined : toPointerTarget(text);
}

const pointer = 'gitdir: ';

/** As git reads it: only trailing line ends are stripped. */
export function toPointerTarget(text: Buffer): BytePath | undefined {
  const written = text.toString('latin1');
  let end = written.length;
  while (end > 0 && (written[end - 1] === '\n' || written[end - 1] === '\r')) end -= 1;
  const target = written.slice(pointer.length, end);
  const isTarget = written.startsWith(pointer) && target !== '' && !target.includes('\0');
  return isTarget ? target : undefined;
}
