import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { PathRefused, inside, walk } from './walk.ts';
import type { Place } from './walk.ts';

export type PathOperation = 'read' | 'write' | 'delete' | 'list';

/** Judges the path an operation really leads to, after links. Throws to refuse. */
export type Authorize = (operation: PathOperation, path: string) => void;

export interface FileOptions {
  /** Largest file read or written, in bytes. */
  readonly maxBytes: number;
  readonly authorize: Authorize;
}

export interface ReadOptions extends FileOptions {
  readonly startLine?: number;
  readonly endLine?: number;
}

/** What a changed file was and is; `null` where there was or is none. */
export interface Change {
  readonly path: string;
  readonly bytes: number;
  readonly before: string | null;
  readonly after: string | null;
}

const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

// Not blocking: opening a pipe would wait for its writer for ever.
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Whole content and permissions of a regular file. @throws PathRefused for anything else and for what is too large. */
function readBytes(
  { parent, leaf, path }: Place,
  maxBytes: number,
): { bytes: Buffer; mode: number } {
  const fd = openSync(inside(parent, leaf), readFlags);
  try {
    const stat = fstatSync(fd);
    if (stat.isDirectory())
      throw new PathRefused('not-regular', `${path} is a folder. List it with list_files.`);
    if (!stat.isFile()) throw new PathRefused('not-regular', `${path} is not a regular file.`);
    if (stat.size > maxBytes) {
      throw new PathRefused(
        'too-large',
        `${path} has ${stat.size} bytes; at most ${maxBytes} are read. Use search, or head and tail.`,
      );
    }
    const bytes = Buffer.allocUnsafe(stat.size);
    let length = 0;
    while (length < bytes.length) {
      const count = readSync(fd, bytes, length, bytes.length - length, length);
      if (count === 0) break;
      length += count;
    }
    return { bytes: bytes.subarray(0, length), mode: stat.mode & 0o777 };
  } finally {
    closeSync(fd);
  }
}

function toText(bytes: Buffer, path: string): string {
  if (bytes.subarray(0, 8_000).includes(0))
    throw new PathRefused('not-regular', `${path} is a binary file of ${bytes.length} bytes.`);
  return bytes.toString('utf8');
}

/** A text file or some of its lines, counted from 1. A note says which lines where not all were asked for. */
export function readText(root: string, path: string, options: ReadOptions): string {
  const { startLine = 1, endLine } = options;
  return walk(root, path, false, (place) => {
    options.authorize('read', place.path);
    const text = toText(readBytes(place, options.maxBytes).bytes, place.path);
    if (startLine === 1 && endLine === undefined) return text;
    const lines = text.split('\n');
    if (startLine > lines.length) {
      throw new PathRefused(
        'mismatch',
        `${place.path} has ${lines.length} lines; line ${startLine} was asked for.`,
      );
    }
    const last = Math.min(endLine ?? lines.length, lines.length);
    return `[lines ${startLine} to ${last} of ${lines.length}]\n${lines.slice(startLine - 1, last).join('\n')}`;
  });
}

/** sha256 of a file, or null when there is none: what a crash-safe caller notes before it changes something. */
export function hashFile(
  root: string,
  path: string,
  { maxBytes }: Pick<FileOptions, 'maxBytes'>,
): string | null {
  try {
    return walk(root, path, false, (place) => hash(readBytes(place, maxBytes).bytes));
  } catch (error) {
    if (error instanceof PathRefused && error.code === 'missing') return null;
    throw error;
  }
}

/**
 * Writes a whole file: a temp file in the same folder, synced, renamed over the old one, so that at any moment the file is
 * the old or the new one. Never writes through a link; keeps the permissions of the file it replaces.
 */
export function writeText(
  root: string,
  path: string,
  content: string,
  options: FileOptions,
): Change {
  const bytes = Buffer.from(content);
  if (bytes.length > options.maxBytes) {
    throw new PathRefused(
      'too-large',
      `${path} would have ${bytes.length} bytes; at most ${options.maxBytes} are written.`,
    );
  }
  // Judged before folders are made for it, and again at the place the walk ends.
  options.authorize('write', path);
  return walk(root, path, true, (place) => {
    options.authorize('write', place.path);
    return replaceFile(place, bytes, readOld(place, options.maxBytes));
  });
}

function readOld(place: Place, maxBytes: number): { bytes: Buffer; mode: number } | undefined {
  if (place.leaf === '.') throw new PathRefused('not-regular', `${place.path} is a folder.`);
  try {
    return readBytes(place, maxBytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function replaceFile(
  { parent, leaf, path }: Place,
  bytes: Buffer,
  old: { bytes: Buffer; mode: number } | undefined,
): Change {
  const temp = inside(parent, `.${leaf.slice(0, 200)}.${randomBytes(6).toString('hex')}.tmp`);
  const fd = openSync(
    temp,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o644,
  );
  try {
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
      if (old !== undefined) fchmodSync(fd, old.mode);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temp, inside(parent, leaf));
  } catch (error) {
    unlinkQuietly(temp);
    throw error;
  }
  syncFolder(parent);
  return {
    path,
    bytes: bytes.length,
    before: old === undefined ? null : hash(old.bytes),
    after: hash(bytes),
  };
}

function unlinkQuietly(file: string): void {
  try {
    unlinkSync(file);
  } catch {
    // Renamed already, or never made.
  }
}

function syncFolder(parent: number): void {
  const fd = openSync(inside(parent, '.'), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Replaces an exact piece of text. @throws PathRefused `mismatch` with what to look at when it is not there exactly once. */
export function editText(
  root: string,
  path: string,
  edit: { readonly old: string; readonly new: string; readonly all?: boolean },
  options: FileOptions,
): Change & { readonly count: number } {
  return walk(root, path, false, (place) => {
    options.authorize('write', place.path);
    const old = readBytes(place, options.maxBytes);
    const text = toText(old.bytes, place.path);
    const count = text.split(edit.old).length - 1;
    if (count === 0) throw new PathRefused('mismatch', describeMissing(text, edit.old, place.path));
    if (count > 1 && edit.all !== true) {
      throw new PathRefused(
        'mismatch',
        `The text to replace occurs ${count} times in ${place.path}, in lines ${linesOf(text, edit.old).join(', ')}. Give more of the text around it, or set all.`,
      );
    }
    if (edit.old === edit.new)
      throw new PathRefused('mismatch', 'Old and new text are the same; nothing to change.');
    const bytes = Buffer.from(text.split(edit.old).join(edit.new));
    if (bytes.length > options.maxBytes)
      throw new PathRefused(
        'too-large',
        `${place.path} would have ${bytes.length} bytes; at most ${options.maxBytes} are written.`,
      );
    return { ...replaceFile(place, bytes, old), count };
  });
}

function linesOf(text: string, piece: string): number[] {
  const lines: number[] = [];
  for (
    let at = text.indexOf(piece);
    at !== -1 && lines.length < 20;
    at = text.indexOf(piece, at + piece.length)
  ) {
    lines.push(text.slice(0, at).split('\n').length);
  }
  return lines;
}

const squeeze = (line: string): string => line.replaceAll(/\s+/g, ' ').trim();

/** Says where the text nearly is: models mostly get white space wrong. */
function describeMissing(text: string, piece: string, path: string): string {
  const lines = text.split('\n');
  const wanted =
    piece
      .split('\n')
      .map(squeeze)
      .find((line) => line !== '') ?? '';
  const near = lines.flatMap((line, index) =>
    wanted !== '' && squeeze(line).includes(wanted) ? [index] : [],
  );
  const head = `The text to replace is not in ${path}.`;
  if (near.length === 0) return `${head} Read the file and copy the text exactly.`;
  const shown = near.slice(0, 3).map((index) => `${index + 1}: ${lines[index] ?? ''}`);
  return `${head} Its first line is there with other white space or with other lines after it:\n${shown.join('\n')}\nCopy the text exactly.`;
}

/** Removes one file; a link is removed itself, never what it points to. */
export function deleteFile(root: string, path: string, options: FileOptions): Change {
  options.authorize('delete', path);
  return walk(root, path, false, (place) => {
    options.authorize('delete', place.path);
    const old = readOld(place, options.maxBytes);
    if (old === undefined) throw new PathRefused('missing', `${path} does not exist.`);
    unlinkSync(inside(place.parent, place.leaf));
    syncFolder(place.parent);
    return { path: place.path, bytes: old.bytes.length, before: hash(old.bytes), after: null };
  });
}
