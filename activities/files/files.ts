import { isUtf8 } from 'node:buffer';
import { lstatSync, readlinkSync, unlinkSync } from 'node:fs';
import { syncFolder } from '../../audit/record/sync-folder.ts';
import { countPlaceholders } from '../../policies/secrets/redaction.ts';
import { describeMissing, linesOf } from './mismatch.ts';
import { explainPlaceholder, refusePlaceholders } from '../sandbox/placeholders.ts';
import { hashRegular, readRegular, replaceFile, sha256Of } from './regular.ts';
import type { Change, OldFile } from './regular.ts';
import { PathRefused, inside, walk } from './walk.ts';

export type { Change } from './regular.ts';

export type PathOperation = 'read' | 'write' | 'delete' | 'list';

/**
 * Judges the path an operation really leads to, after resolving links and before opening anything. Throws to refuse.
 */
export type Authorize = (operation: PathOperation, path: string) => void;

export interface FileOptions {
  /** Largest file read or written, in bytes. */
  readonly maxBytes: number;
  readonly authorize: Authorize;
}

/** Called with a file's content right before it is changed. Throws to refuse. */
export type CheckVersion = (
  path: string,
  old: Pick<OldFile, 'sha256' | 'bytes'>,
  operation: 'write' | 'edit' | 'delete',
) => void;

export interface ChangeOptions extends FileOptions {
  readonly check?: CheckVersion;
}

export interface ReadOptions extends FileOptions {
  /** Receives the hash of the whole file. */
  readonly seen?: (path: string, sha256: string) => void;
  /** From 1. */
  readonly startLine?: number;
  /** Inclusive; may lie beyond the end. */
  readonly endLine?: number;
  /** Refuses a link as the last name instead of following it. */
  readonly keepLink?: true;
  /** Applied to the whole text before lines are cut from it. */
  readonly mask?: (text: string) => string;
}

/** Decodes text; a NUL byte makes a file binary. `lossy`: invalid UTF-8 became U+FFFD. */
function toText(bytes: Buffer, path: string): { text: string; lossy: boolean } {
  if (bytes.includes(0)) {
    const wide = bytes[0] === 0xff && bytes[1] === 0xfe ? ' It looks like UTF-16.' : '';
    const reason = `${path} is a binary file of ${bytes.length} bytes, not text.${wide}`;
    throw new PathRefused('not-regular', reason);
  }
  return { text: bytes.toString('utf8'), lossy: !isUtf8(bytes) };
}

/**
 * Reads a text file or a range of its lines. A leading note gives the range, or says that bytes are not UTF-8. @throws
 * PathRefused
 */
export function readText(root: string, path: string, options: ReadOptions): string {
  const { startLine = 1, endLine, authorize, maxBytes, seen, mask = (text) => text } = options;
  const mode = options.keepLink === true ? ({ keepLink: true } as const) : false;
  return walk(root, path, mode, (place) => {
    authorize('read', place.path);
    const { bytes, old } = readRegular(place, maxBytes);
    seen?.(place.path, old.sha256);
    const { text: content, lossy } = toText(bytes, place.path);
    const text = mask(content);
    const note = lossy ? '[not UTF-8: undecodable bytes are shown as \uFFFD]\n' : '';
    if (startLine === 1 && endLine === undefined) return note + text;
    const lines = text.split('\n');
    if (lines.at(-1) === '' && lines.length > 1) lines.pop();
    if (startLine > lines.length || (endLine ?? startLine) < startLine) {
      const asked = `you asked for lines ${startLine} to ${endLine ?? 'the end'}`;
      throw new PathRefused('mismatch', `${place.path} has ${lines.length} lines; ${asked}.`);
    }
    const last = Math.min(endLine ?? lines.length, lines.length);
    const part = lines.slice(startLine - 1, last).join('\n');
    return `${note}[lines ${startLine} to ${last} of ${lines.length}]\n${part}`;
  });
}

/** sha256 of a file of any size; null if there is none. Crash-safe callers record it before they change something. */
export function hashFile(
  root: string,
  path: string,
  _options?: Pick<FileOptions, 'maxBytes'>,
): string | null {
  try {
    return walk(root, path, false, (place) => hashRegular(place)?.sha256 ?? null);
  } catch (error) {
    if (error instanceof PathRefused && error.code === 'missing') return null;
    throw error;
  }
}

/**
 * Writes a whole file, creating its folders, atomically. A link as the last name is followed inside the workspace and
 * refused if it leads out. Keeps the permissions of the file it replaces. @throws PathRefused
 */
export function writeText(
  root: string,
  path: string,
  content: string,
  { maxBytes, authorize, check }: ChangeOptions,
): Change {
  const bytes = Buffer.from(content);
  if (bytes.length > maxBytes) throw tooLarge(path, bytes.length, maxBytes);
  return walk(root, path, { create: (final) => authorize('write', final) }, (place) => {
    authorize('write', place.path);
    const old = hashRegular(place);
    if (old !== undefined && old.sha256 !== sha256Of(bytes)) check?.(place.path, old, 'write');
    if (countPlaceholders(content).size > 0) {
      const before = old === undefined ? '' : readRegular(place, maxBytes).bytes.toString('utf8');
      refusePlaceholders(place.path, before, content);
    }
    return replaceFile(place, bytes, old);
  });
}

const tooLarge = (path: string, bytes: number, maxBytes: number): PathRefused =>
  new PathRefused('too-large', `${path} would have ${bytes} bytes; the limit is ${maxBytes}.`);

const mismatch = (reason: string): PathRefused => new PathRefused('mismatch', reason);

/** Replaces an exact piece of text. @throws PathRefused `mismatch`, with hints, unless it occurs exactly once. */
export function editText(
  root: string,
  path: string,
  edit: { readonly old: string; readonly new: string; readonly all?: boolean },
  { maxBytes, authorize, check }: ChangeOptions,
): Change & { readonly count: number } {
  if (edit.old === '')
    throw mismatch('The text to replace is empty. To write a whole file, use write_file.');
  if (edit.old === edit.new)
    throw mismatch('The old and new text are the same; nothing to change.');
  return walk(root, path, false, (place) => {
    authorize('write', place.path);
    const { bytes, old } = readRegular(place, maxBytes);
    check?.(place.path, old, 'edit');
    const { text, lossy } = toText(bytes, place.path);
    if (lossy) {
      const reason = `${place.path} is not UTF-8, so an edit would damage it. Convert it first, for example with iconv.`;
      throw mismatch(reason);
    }
    const pieces = text.split(edit.old);
    const count = pieces.length - 1;
    if (count === 0)
      throw mismatch(
        explainPlaceholder(place.path, edit.old) ?? describeMissing(text, edit.old, place.path),
      );
    if (count > 1 && edit.all !== true) {
      const lines = linesOf(text, edit.old).join(', ');
      throw mismatch(
        `The text to replace occurs ${count} times in ${place.path}, in lines ${lines}. Include more of the surrounding text, or set all.`,
      );
    }
    refusePlaceholders(place.path, text, pieces.join(edit.new));
    const changed = Buffer.from(pieces.join(edit.new));
    if (changed.length > maxBytes) throw tooLarge(place.path, changed.length, maxBytes);
    return { ...replaceFile(place, changed, old), count };
  });
}

/** Removes one file of any size; a link itself, never its target. @throws PathRefused */
export function deleteFile(
  root: string,
  path: string,
  { authorize, check }: Pick<ChangeOptions, 'authorize' | 'check'>,
): Change {
  return walk(root, path, { keepLink: true }, (place) => {
    authorize('delete', place.path);
    const at = inside(place.parent, place.leaf);
    if (lstatSync(at).isSymbolicLink()) {
      const before = sha256Of(Buffer.from(readlinkSync(at)));
      unlinkSync(at);
      syncFolder(inside(place.parent, '.'));
      return { path: place.path, bytes: 0, before, after: null };
    }
    const old = hashRegular(place);
    if (old !== undefined) check?.(place.path, old, 'delete');
    unlinkSync(at);
    syncFolder(inside(place.parent, '.'));
    return { path: place.path, bytes: old?.bytes ?? 0, before: old?.sha256 ?? null, after: null };
  });
}
