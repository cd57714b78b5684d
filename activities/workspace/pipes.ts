import { execFile } from 'node:child_process';
import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Both ends of a pipe of the kernel, to be given to processes. */
export interface PipeEnds {
  readonly read: number;
  readonly write: number;
}

const run = promisify(execFile);
const bufferBytes = 65_536;
/** Made together, since starting mkfifo costs more than the pipes. */
const batch = 8;
/** Pipes nobody has had yet. */
const reserve: PipeEnds[] = [];

/** Pipes for the caller, who closes them. `folder` must exist. */
export async function makePipes(count: number, folder: string): Promise<PipeEnds[]> {
  if (reserve.length < count) reserve.push(...(await create(count + batch, folder)));
  return reserve.splice(0, count);
}

/**
 * Makes pipes. Node itself connects children by socket pairs, through which bytes go at a fifth of a pipe's speed; a named
 * pipe whose name is gone once both ends are open is the same as one of pipe(2).
 */
async function create(count: number, folder: string): Promise<PipeEnds[]> {
  const names = await mkdtemp(join(folder, 'pipes-'));
  const made: PipeEnds[] = [];
  try {
    const files = Array.from({ length: count }, (_, index) => join(names, String(index)));
    await run('mkfifo', ['-m', '600', '--', ...files]);
    for (const file of files) {
      // The first reader must not wait for a writer; processes get ends that do wait.
      const first = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        const write = openSync(file, constants.O_WRONLY);
        made.push({ read: openSync(file, constants.O_RDONLY), write });
      } finally {
        closeSync(first);
      }
    }
    return made;
  } catch (error) {
    for (const { read, write } of made) for (const fd of [read, write]) closeSync(fd);
    throw error;
  } finally {
    rmSync(names, { recursive: true, force: true });
  }
}

export interface PipeReader {
  /** Resolves when every writer is gone. */
  readonly ended: Promise<void>;
  /** Gives up on writers that stay. */
  close(): void;
}

/** Reads a pipe into one buffer that is used again and again: `take` must copy what it keeps. Owns `fd`. */
export function readPipe(fd: number, take: (chunk: Buffer) => void): PipeReader {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const socket = new Socket({
    fd,
    writable: false,
    onread: {
      buffer: Buffer.allocUnsafeSlow(bufferBytes),
      callback: (length, buffer) => {
        take(Buffer.from(buffer.buffer, buffer.byteOffset, length));
        return true;
      },
    },
  });
  socket.on('error', () => socket.destroy());
  socket.on('close', () => resolve());
  socket.resume();
  return { ended, close: () => socket.destroy() };
}
