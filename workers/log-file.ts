import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';

/** A log with a limit: when it is full it becomes `<path>.1` and a new one begins, so two files are the most there is. */
export interface LogFile {
  readonly path: string;
  /** Writes at once, so that the last words of a dying process are kept. */
  write(text: string | Uint8Array): void;
  /** The last line written that is not empty. */
  lastLine(): string;
  close(): void;
}

const tailBytes = 2_000;

/** Opens `path` for appending. `limitBytes` bounds each of the two files. */
export function createLogFile(path: string, limitBytes = 5_000_000): LogFile {
  let fd = openSync(path, 'a', 0o600);
  let size = fstatSync(fd).size;
  let tail = '';
  return {
    path,
    write(text) {
      const bytes = typeof text === 'string' ? Buffer.from(text) : text;
      if (size > 0 && size + bytes.length > limitBytes) {
        closeSync(fd);
        renameSync(path, `${path}.1`);
        fd = openSync(path, 'a', 0o600);
        size = 0;
      }
      try {
        writeSync(fd, bytes);
      } catch {
        return; // A full disk must not end the supervisor: what it supervises may be able to go on.
      }
      size += bytes.length;
      tail = (tail + Buffer.from(bytes).toString('utf8')).slice(-tailBytes);
    },
    lastLine: () => tail.trimEnd().split('\n').at(-1) ?? '',
    close: () => closeSync(fd),
  };
}
