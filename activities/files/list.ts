import { closeSync, constants, lstatSync, openSync, readdirSync } from 'node:fs';
import type { Authorize } from './files.ts';
import { PathRefused, inside, walk } from './walk.ts';

export interface ListOptions {
  /** Levels below the folder, at least 1. */
  readonly depth: number;
  readonly maxEntries: number;
  readonly authorize: Authorize;
}

/** Listed but not entered: the person did not write their content. */
const closedFolders = new Set(['.git', 'node_modules', '.venv', '__pycache__']);

const folderFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** A folder as a tree: two spaces per level, folders end in `/`, files show their size in bytes. */
export function listFiles(
  root: string,
  path: string,
  { depth, maxEntries, authorize }: ListOptions,
): string {
  return walk(root, path, false, (place) => {
    authorize('list', place.path);
    const lines: string[] = [];
    let left = 0;
    const enter = (at: string, level: number): void => {
      const fd = openSync(at, folderFlags);
      try {
        for (const entry of readdirSync(inside(fd, '.'), { withFileTypes: true }).toSorted(
          (a, b) => (a.name < b.name ? -1 : 1),
        )) {
          if (lines.length >= maxEntries) {
            left += 1;
            continue;
          }
          const indent = '  '.repeat(level);
          const name = toOneLine(entry.name);
          const child = inside(fd, entry.name);
          if (entry.isDirectory()) {
            const closed = closedFolders.has(entry.name);
            lines.push(`${indent}${name}/${closed ? ' (not listed)' : ''}`);
            if (!closed && level + 1 < depth) enterQuietly(child, level + 1, lines, enter);
          } else if (entry.isSymbolicLink()) lines.push(`${indent}${name} (link)`);
          else if (entry.isFile()) lines.push(`${indent}${name} ${toSize(child)}`);
          else lines.push(`${indent}${name} (special)`);
        }
      } finally {
        closeSync(fd);
      }
    };
    const top = inside(place.parent, place.leaf);
    if (!lstatSync(top).isDirectory()) {
      const reason = `${place.path} is not a folder. Read a file with read_file.`;
      throw new PathRefused('not-regular', reason);
    }
    enter(top, 0);
    if (left > 0)
      lines.push(
        `[${left} more entries in these folders; list a subfolder, or use a smaller depth]`,
      );
    return lines.length === 0 ? '(empty folder)' : lines.join('\n');
  });
}

/** Entries that vanished or have undecodable names are listed anyway. */
function toSize(file: string): string {
  try {
    return String(lstatSync(file).size);
  } catch {
    return '(cannot be read)';
  }
}

/** Names may contain line breaks and terminal codes; a listing has one name per line. */
const toOneLine = (name: string): string =>
  name.replaceAll(
    /\p{Cc}/gu,
    (char) => `\\x${(char.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`,
  );

/** A folder that vanished or is unreadable is still listed. */
function enterQuietly(
  at: string,
  level: number,
  lines: string[],
  enter: (at: string, level: number) => void,
): void {
  try {
    enter(at, level);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    lines.push(`${'  '.repeat(level)}(cannot be read: ${code})`);
  }
}
