import { closeSync, constants, mkdirSync, openSync, readlinkSync } from 'node:fs';
import { syncFolder } from '../../audit/record/sync-folder.ts';

export type RefusalCode =
  | 'invalid'
  | 'outside'
  | 'too-many-links'
  | 'not-regular'
  | 'too-large'
  | 'mismatch'
  | 'missing'
  | 'full'
  | 'policy';

/** A path or file this tool refuses to touch; the message is for the model. */
export class PathRefused extends Error {
  override readonly name = 'PathRefused';
  readonly code: RefusalCode;

  constructor(code: RefusalCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Where a path really leads: an open parent folder and a name in it that is not a link. */
export interface Place {
  /** Descriptor of the parent folder (`O_PATH`). */
  readonly parent: number;
  /** Name in the parent; `.` if the path is a folder the walk entered, such as the root. */
  readonly leaf: string;
  /** With links resolved, relative to the root; `.` for the root itself. */
  readonly path: string;
}

export interface WalkMode {
  /** Creates missing folders. Called with the final path before the first is created; throws to refuse. */
  readonly create?: (path: string) => void;
  /** Stops at a link as the last name, for operations on the link itself. */
  readonly keepLink?: true;
}

/** `O_PATH` (open(2)): references a file without opening it. Not in Node's constants; the same on x64 and arm64. */
const oPath = 0o10000000;
const folderFlags = oPath | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const maxLinks = 40;

/** Path of a name inside an open folder: the kernel resolves only this one name. */
export const inside = (parent: number, leaf: string): string => `/proc/self/fd/${parent}/${leaf}`;

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/** Components of a path below `root`; `..` is resolved lexically. @throws PathRefused */
export function toNames(root: string, path: string): string[] {
  if (typeof path !== 'string')
    throw new PathRefused('invalid', `A path is text, got ${typeof path}.`);
  if (path.includes('\0') || !path.isWellFormed() || Buffer.byteLength(path) > 4096) {
    throw new PathRefused('invalid', `${JSON.stringify(path.slice(0, 100))} is not a usable path.`);
  }
  let rest = path.split('/').filter((name) => name !== '' && name !== '.');
  if (path.startsWith('/')) {
    const base = root.split('/').filter((name) => name !== '');
    if (base.some((name, index) => rest[index] !== name)) throw outside(path);
    rest = rest.slice(base.length);
  }
  const names: string[] = [];
  for (const name of rest) {
    if (Buffer.byteLength(name) > 255)
      throw new PathRefused(
        'invalid',
        `The name ${JSON.stringify(name.slice(0, 40))}… is longer than 255 bytes.`,
      );
    if (name !== '..') names.push(name);
    else if (names.pop() === undefined) throw outside(path);
  }
  return names;
}

const outside = (path: string): PathRefused =>
  new PathRefused(
    'outside',
    `${JSON.stringify(path.slice(0, 200))} is outside the workspace. Use a path relative to the workspace root.`,
  );

/**
 * Walks `path` one component at a time, opening each inside the previous folder without following links; links are read
 * and resolved here and may not lead out. There is no gap between check and use in which to swap anything. `root` is
 * absolute and free of links. Closes every descriptor when `use` returns. Linux only: needs `/proc/self/fd`. @throws
 * PathRefused, or the system's error if nothing fits better.
 */
export function walk<T>(
  root: string,
  path: string,
  mode: false | WalkMode,
  use: (place: Place) => T,
): T {
  const { create, keepLink } = mode === false ? ({} as WalkMode) : mode;
  if (process.platform !== 'linux') {
    const reason = `File tools need Linux, this is ${process.platform}. Run dev-agent in its container.`;
    throw new PathRefused('invalid', reason);
  }
  const todo = toNames(root, path).toReversed();
  const open: { name: string; fd: number }[] = [{ name: '', fd: openRoot(root) }];
  let links = 0;
  let made = false;
  const top = () => open.at(-1) as { name: string; fd: number };
  const toPath = (...names: string[]): string =>
    [...open.slice(1).map((folder) => folder.name), ...names].join('/') || '.';
  const follow = (target: string): void => {
    links += 1;
    if (links > maxLinks)
      throw new PathRefused('too-many-links', `${path} goes through more than ${maxLinks} links.`);
    if (target.startsWith('/')) {
      // Absolute targets are fine if they lead back inside.
      const names = toNames(root, target);
      while (open.length > 1) closeSync((open.pop() as { fd: number }).fd);
      todo.push(...names.toReversed());
    } else {
      const names = target.split('/').filter((name) => name !== '' && name !== '.');
      todo.push(...names.toReversed());
    }
  };
  /** Judged once, for the final file: missing folders contain no links. */
  const makeFolder = (at: string, name: string): void => {
    if (!made) create?.(toPath(name, ...todo.toReversed()));
    made = true;
    try {
      mkdirSync(at, 0o755);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    syncFolder(inside(top().fd, '.'));
  };
  try {
    for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
      if (name === '..') {
        if (open.length === 1) throw outside(path);
        closeSync((open.pop() as { fd: number }).fd);
        continue;
      }
      const at = inside(top().fd, name);
      const last = todo.length === 0;
      const target = last && keepLink === true ? undefined : readLink(at);
      if (target !== undefined) {
        follow(target);
        continue;
      }
      if (last) return use({ parent: top().fd, leaf: name, path: toPath(name) });
      if (create !== undefined && !todo.includes('..') && isMissing(at)) makeFolder(at, name);
      open.push({ name, fd: openSync(at, folderFlags) });
    }
    // The path was the root, or a link to an ancestor.
    return use({ parent: top().fd, leaf: '.', path: toPath() });
  } catch (error) {
    throw toReadable(error, path);
  } finally {
    for (const { fd } of open) closeSync(fd);
  }
}

function openRoot(root: string): number {
  try {
    return openSync(root, folderFlags);
  } catch (error) {
    const reason = `The workspace ${root} cannot be opened: ${codeOf(error) ?? String(error)}. It was a folder when the run began; restore it.`;
    throw new PathRefused('missing', reason);
  }
}

function isMissing(at: string): boolean {
  try {
    closeSync(openSync(at, oPath | constants.O_NOFOLLOW));
    return false;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return true;
    throw error;
  }
}

function readLink(at: string): string | undefined {
  try {
    return readlinkSync(at);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EINVAL' || code === 'ENOENT') return undefined;
    throw error;
  }
}

/** System errors name `/proc/self/fd/…`; the model must see its own path. */
export function toReadable(error: unknown, path: string): unknown {
  if (error instanceof PathRefused) return error;
  switch (codeOf(error) ?? '') {
    case 'ENOENT':
      return new PathRefused(
        'missing',
        `${path} does not exist. See what is there with list_files.`,
      );
    case 'ENOTDIR':
      return new PathRefused('not-regular', `A part of ${path} is not a folder.`);
    case 'EISDIR':
      return new PathRefused('not-regular', `${path} is a folder.`);
    case 'ELOOP':
      return new PathRefused('invalid', `${path} became a link while it was being opened.`);
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new PathRefused('invalid', `${path} may not be opened: ${codeOf(error)}.`);
    case 'ENOSPC':
    case 'EDQUOT':
      return new PathRefused('full', `${path} was not written: the disk is full. Nothing changed.`);
    case 'ENXIO':
      return new PathRefused('not-regular', `${path} is not a regular file.`);
    default:
      return error;
  }
}
