import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { execute } from './execute.ts';

/** Both ends of a kernel pipe, for child processes. */
export interface PipeEnds {
  readonly read: number;
  readonly write: number;
}

const bufferBytes = 65_536;
/** Created together, because starting mkfifo costs more than the pipes. */
const batch = 8;
/** Unused pipes. */
const reserve: PipeEnds[] = [];

/** Returns pipes; the caller closes them. `folder` must exist. */
export async function makePipes(count: number, folder: string): Promise<PipeEnds[]> {
  if (reserve.length < count) reserve.push(...(await create(count + batch, folder)));
  return reserve.splice(0, count);
}

/**
 * Creates pipes. Node connects children by socket pairs, which are five times slower; a FIFO unlinked once both ends
 * are open equals a pipe from pipe(2).
 */
async function create(count: number, folder: string): Promise<PipeEnds[]> {
  const names = await mkdtemp(join(folder, 'pipes-'));
  const made: PipeEnds[] = [];
  try {
    const files = Array.from({ length: count }, (_, index) => join(names, String(index)));
    await execute('mkfifo', ['-m', '600', '--', ...files]);
    for (const file of files) {
      // The first reader must not wait for a writer; child processes get blocking ends.
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
  /** Resolves once all writers are gone. */
  readonly ended: Promise<void>;
  /** Stops waiting for remaining writers. */
  close(): void;
}

export interface PipeSink {
  /** Must copy what it keeps. */
  readonly take: (chunk: Buffer) => void;
  /** True once only the length and tail of the rest matter. */
  readonly isFull: () => boolean;
  /** The rest: its length and its last bytes, at most `tailBytes`. */
  readonly takeRest: (bytes: number, tail: Buffer) => void;
  readonly tailBytes: number;
}

/** Beyond this many bytes, a thread takes over; below, starting one costs more than it saves. */
const floodBytes = 8_388_608;

/** Reads a pipe into one reused buffer; a flood continues in its own thread. Owns `fd`. */
export function readPipe(fd: number, sink: PipeSink): PipeReader {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  let bytes = 0;
  let flood: Worker | undefined;
  let closed = false;
  const handOver = (): void => {
    // Reopens the same pipe in blocking mode, for the thread.
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
        // Deferred: the socket is in the middle of its read.
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
