import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Redirect } from '../../policies/commands/command.ts';
import type { Authorize } from '../files/files.ts';
import { PathRefused, inside, walk } from '../files/walk.ts';

/** Target of a descriptor: an open file, nothing, the next process, or the capture. */
export type Target = number | 'ignore' | 'pipe' | 'capture';

/** Descriptors of one process in a pipeline. */
export interface Wiring {
  /** Absent: from the previous process, or nothing. */
  readonly input?: number | 'ignore' | 'pipe';
  /** Written to standard input if `input` is `pipe`. */
  readonly text?: string;
  readonly out: Target;
  readonly err: Target;
  /** Close these once the process has them. */
  readonly opened: readonly number[];
}

export interface RedirectContext {
  readonly root: string;
  /** Relative to `root`. */
  readonly cwd: string;
  readonly authorize: Authorize;
  /** The last process of its pipeline. */
  readonly last: boolean;
}

/** Opens a command's redirections in the order written, as a shell would. @throws PathRefused */
export function openRedirects(redirects: readonly Redirect[], context: RedirectContext): Wiring {
  const targets: Record<1 | 2, Target> = { 1: context.last ? 'capture' : 'pipe', 2: 'capture' };
  const opened: number[] = [];
  let input: Wiring['input'];
  let text: string | undefined;
  try {
    for (const redirect of redirects) {
      switch (redirect.kind) {
        case 'input':
          input =
            redirect.path === '/dev/null'
              ? 'ignore'
              : openFile(redirect.path, 'read', readFlags, context);
          if (typeof input === 'number') opened.push(input);
          break;
        case 'text':
          input = 'pipe';
          ({ text } = redirect);
          break;
        case 'output': {
          const flags = writeFlags | (redirect.append ? constants.O_APPEND : constants.O_TRUNC);
          const target =
            redirect.path === '/dev/null'
              ? 'ignore'
              : openFile(redirect.path, 'write', flags, context);
          if (typeof target === 'number') opened.push(target);
          targets[redirect.fd] = target;
          break;
        }
        case 'duplicate':
          targets[redirect.from] = targets[redirect.to];
      }
    }
  } catch (error) {
    for (const fd of opened) closeSync(fd);
    throw error;
  }
  const { 1: out, 2: err } = targets;
  return { out, err, opened, input, text };
}

// Non-blocking, so that a FIFO in the workspace cannot block the worker.
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const writeFlags =
  constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;

function openFile(
  path: string,
  operation: 'read' | 'write',
  flags: number,
  { root, cwd, authorize }: RedirectContext,
): number {
  return walk(root, path.startsWith('/') ? path : join(cwd, path), false, (place) => {
    authorize(operation, place.path);
    const fd = openSync(inside(place.parent, place.leaf), flags, 0o644);
    if (fstatSync(fd).isFile()) return fd;
    closeSync(fd);
    throw new PathRefused('not-regular', `${place.path} is not a regular file.`);
  });
}
