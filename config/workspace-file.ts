/**
 * Our files in a workspace. Their content is untrusted: no link is followed, nothing blocks, and anything but a small
 * regular file is refused by name.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { join } from 'node:path';

export type WorkspaceFile =
  | { readonly state: 'read'; readonly text: string }
  | { readonly state: 'missing' }
  /** `reason` continues a sentence naming the file: "it is a symbolic link". It quotes no content. */
  | { readonly state: 'refused'; readonly reason: string; readonly expected: string };

/** `O_PATH` (open(2)): references a file without opening it, so that a FIFO, socket or device does not notice. */
const oPath = 0o10000000;
const refuse = (reason: string, expected = 'a regular file'): WorkspaceFile => ({
  state: 'refused',
  reason,
  expected,
});

/**
 * Reads a UTF-8 file, one component below `root` at a time, following no links. Hard links look like files: a command
 * cannot make one to a file outside its mounts.
 */
export function readWorkspaceFile(
  root: string,
  names: readonly string[],
  maxBytes: number,
): WorkspaceFile {
  const open: number[] = [];
  try {
    let at = root;
    for (const [index, name] of names.entries()) {
      const path = names.slice(0, index + 1).join('/');
      const isLast = index === names.length - 1;
      const step = process.platform === 'linux' ? openStep : checkStep;
      const { stat, next } = step(at, name, open);
      const what = isLast ? 'it' : path;
      if (stat.isSymbolicLink())
        return refuse(
          `${what} is a symbolic link, and dev-agent reads only regular files in a workspace`,
          isLast ? 'a regular file' : 'a folder, not a link to one',
        );
      if (!isLast && !stat.isDirectory()) return { state: 'missing' };
      if (isLast && !stat.isFile()) return refuse('it is not a file');
      at = next;
    }
    return readOpened(at, maxBytes);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { state: 'missing' };
    if (code === undefined) throw error;
    return refuse(`it cannot be read (${code || message})`, 'a readable file');
  } finally {
    for (const fd of open) closeSync(fd);
  }
}

interface Step {
  readonly stat: Stats;
  /** Path that refers to exactly what was checked. */
  readonly next: string;
}

function openStep(folder: string, name: string, open: number[]): Step {
  const fd = openSync(join(folder, name), oPath | constants.O_NOFOLLOW);
  open.push(fd);
  return { stat: fstatSync(fd), next: `/proc/self/fd/${fd}` };
}

/** Without `/proc/self/fd`, checking and opening are two separate steps. */
function checkStep(folder: string, name: string): Step {
  const next = join(folder, name);
  return { stat: lstatSync(next), next };
}

function readOpened(path: string, maxBytes: number): WorkspaceFile {
  // On Linux `path` is a link to a descriptor and must be followed.
  const noFollow = process.platform === 'linux' ? 0 : constants.O_NOFOLLOW;
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | noFollow);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return refuse('it is not a file');
    if (stat.size > maxBytes) return refuse(`it has ${stat.size} bytes`, `at most ${maxBytes}`);
    const bytes = readFileSync(fd);
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    return { state: 'read', text: decoder.decode(bytes) };
  } catch (error) {
    if (error instanceof TypeError) return refuse('it is not UTF-8 text', 'UTF-8');
    throw error;
  } finally {
    closeSync(fd);
  }
}
