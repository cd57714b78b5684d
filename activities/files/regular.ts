import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { syncFolder } from '../../audit/record/sync-folder.ts';
import { PathRefused, inside } from './walk.ts';
import type { Place } from './walk.ts';
import { ifThere } from '../../audit/record/missing.ts';

/** A file's content before and after: sha256 in hex, `null` if there is no file. */
export interface Change {
  readonly path: string;
  readonly bytes: number;
  readonly before: string | null;
  readonly after: string | null;
}

/** A file before a change. */
export interface OldFile {
  readonly sha256: string;
  readonly bytes: number;
  readonly stat: Stats;
}

export const sha256Of = (bytes: Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex');

// Non-blocking: opening a FIFO would wait forever for a writer.
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const chunkBytes = 65_536;

/** Opens regular files only. @throws PathRefused `not-regular` */
function openRegular<T>(place: Place, use: (fd: number, stat: Stats) => T): T {
  const { parent, leaf, path } = place;
  const fd = openSync(inside(parent, leaf), readFlags);
  try {
    const stat = fstatSync(fd);
    if (stat.isDirectory())
      throw new PathRefused('not-regular', `${path} is a folder. List it with list_files.`);
    if (!stat.isFile()) throw new PathRefused('not-regular', `${path} is not a regular file.`);
    return use(fd, stat);
  } finally {
    closeSync(fd);
  }
}

export interface Content {
  readonly bytes: Buffer;
  readonly old: OldFile;
}

/** Whole content of a regular file. @throws PathRefused for anything else, or more than `maxBytes`. */
export const readRegular = (place: Place, maxBytes: number): Content =>
  openRegular(place, (fd, stat) => {
    if (stat.size > maxBytes) {
      throw new PathRefused(
        'too-large',
        `${place.path} has ${stat.size} bytes; the limit is ${maxBytes}. Use search, or a command such as sed -n 1,200p.`,
      );
    }
    const buffer = Buffer.allocUnsafe(stat.size);
    let length = 0;
    while (length < buffer.length) {
      const count = readSync(fd, buffer, length, buffer.length - length, length);
      if (count === 0) break;
      length += count;
    }
    const bytes = buffer.subarray(0, length);
    return { bytes, old: { sha256: sha256Of(bytes), bytes: length, stat } };
  });

/** Hash of a file of any size, in constant memory; undefined if there is none. */
export const hashRegular = (place: Place): OldFile | undefined =>
  ifThere(() =>
    openRegular(place, (fd, stat) => {
      const hash = createHash('sha256');
      const buffer = Buffer.allocUnsafe(chunkBytes);
      let bytes = 0;
      for (let count = readSync(fd, buffer); count > 0; count = readSync(fd, buffer)) {
        hash.update(buffer.subarray(0, count));
        bytes += count;
      }
      return { sha256: hash.digest('hex'), bytes, stat };
    }),
  );

/**
 * Replaces a file atomically: temp file beside it, synced, renamed over it, folder synced. Keeps permissions and owner.
 * The temp name derives from the leaf, so that a retry after a crash clears the leftovers.
 */
export function replaceFile(place: Place, bytes: Buffer, old: OldFile | undefined): Change {
  const { parent, leaf, path } = place;
  if (leaf === '.') throw new PathRefused('not-regular', `${path} is a folder.`);
  const tempName = `.dev-agent-${sha256Of(Buffer.from(leaf)).slice(0, 16)}.tmp`;
  const temp = inside(parent, tempName);
  rmSync(temp, { force: true });
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const fd = openSync(temp, flags, 0o644);
  try {
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
      if (old !== undefined) keepOwner(fd, old.stat);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temp, inside(parent, leaf));
  } catch (error) {
    rmSync(temp, { force: true });
    throw error;
  }
  syncFolder(inside(parent, '.'));
  return { path, bytes: bytes.length, before: old?.sha256 ?? null, after: sha256Of(bytes) };
}

function keepOwner(fd: number, { uid, gid, mode }: Stats): void {
  const now = fstatSync(fd);
  if (now.uid !== uid || now.gid !== gid) {
    try {
      fchownSync(fd, uid, gid);
    } catch {
      // Only root may change owners; the content matters more.
    }
  }
  fchmodSync(fd, mode & 0o777);
}
