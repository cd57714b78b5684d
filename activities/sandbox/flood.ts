/**
 * Thread entry: drains a pipe with blocking reads and keeps the tail. Posts `{bytes, tail}`. The main thread, reading
 * through its event loop, gets a third of the speed.
 */
import { readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

const { fd, tailBytes } = workerData as { readonly fd: number; readonly tailBytes: number };
const pieceBytes = 65_536;
// Twice the tail: the newer half is complete when the older is overwritten.
const buffer = Buffer.allocUnsafeSlow(Math.max(tailBytes, pieceBytes) * 4);
let bytes = 0;
let at = 0;

const read = (): number => {
  try {
    return readSync(fd, buffer, at, Math.min(pieceBytes, buffer.length - at), null);
  } catch {
    // Closed from outside: the command was given up.
    return 0;
  }
};

for (let length = read(); length > 0; length = read()) {
  bytes += length;
  at += length;
  if (buffer.length - at >= pieceBytes) continue;
  buffer.copyWithin(0, at - Math.max(tailBytes, pieceBytes), at);
  at = Math.max(tailBytes, pieceBytes);
}
const kept = Math.min(tailBytes, bytes, at);
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
parentPort?.postMessage({ bytes, tail: Uint8Array.from(buffer.subarray(at - kept, at)) });
