import { execFile } from 'node:child_process';
import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';

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

export interface PipeSink {
  /** Must copy what it keeps. */
  readonly take: (chunk: Buffer) => void;
  /** True once only the length and the last bytes of what follows matter. */
  readonly isFull: () => boolean;
  /** What came after that: how much, and the last of it, at most `tailBytes`. */
  readonly takeRest: (bytes: number, tail: Buffer) => void;
  readonly tailBytes: number;
}

/** Bytes after which a command counts as flooding; below, starting a thread costs more than it saves. */
const floodBytes = 8_388_608;

/**
 * Reads a pipe into one buffer that is used again and again; a flood goes on in a thread of its own. Owns `fd`.
 */
export function readPipe(fd: number, sink: PipeSink): PipeReader {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  let bytes = 0;
  let flood: Worker | undefined;
  let closed = false;
  const handOver = (): void => {
    // Another opening of the same pipe: this one blocks, as the thread wants it.
    const rest = openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY);
    flood = new Worker(new URL('flood.ts', import.meta.url), {
      workerData: { fd: rest, tailBytes: sink.tailBytes },
    });
    flood.on('message', ({ bytes: more, tail }: { bytes: number; tail: Uint8Array }) => {
      if (!closed) sink.takeRest(more, Buffer.from(tail));
    });
    flood.on('error', () => undefined);
    flood.on('exit', () => {
      closeSync(rest);
      resolve();
    });
  };
  const socket = new Socket({
    fd,
    writable: false,
    onread: {
      buffer: Buffer.allocUnsafeSlow(bufferBytes),
      callback: (length, buffer) => {
        bytes += length;
        sink.take(Buffer.from(buffer.buffer, buffer.byteOffset, length));
        if (bytes < floodBytes || !sink.isFull() || process.platform !== 'linux') return true;
        handOver();
        // After this turn: the socket is in the middle of its read.
        setImmediate(() => socket.destroy());
        return false;
      },
    },
  });
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    if (flood === undefined) resolve();
  });
  socket.resume();
  return {
    ended,
    close() {
      closed = true;
      socket.destroy();
      void flood?.terminate();
    },
  };
}
