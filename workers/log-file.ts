import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { createRedactionStream } from '../policies/secrets/redaction-stream.ts';
import { formRedactor } from '../policies/secrets/redaction.ts';
import type { Redactor } from '../policies/secrets/redaction.ts';

/** A bounded log: when full it becomes `<path>.1` and a new file begins, so there are never more than two. */
export interface LogFile {
  readonly path: string;
  /** Writes complete lines at once, and an unfinished line after a pause; redacted. */
  write(text: string | Uint8Array): void;
  /** The last non-empty line written. */
  lastLine(): string;
  close(): void;
}

const tailBytes = 2_000;
/** The pieces of a secret arrive closer together than this. */
const restMs = 200;

/** Opens `path` for appending. `limitBytes` bounds each of the two files. */
export function createLogFile(
  path: string,
  limitBytes = 5_000_000,
  redactor: Redactor = formRedactor,
): LogFile {
  const stream = createRedactionStream(redactor);
  const decoder = new StringDecoder('utf8');
  let timer: NodeJS.Timeout | undefined;
  let fd = openSync(path, 'a', 0o600);
  let size = fstatSync(fd).size;
  let tail = '';
  const append = (text: string): void => {
    if (text === '') return;
    const bytes = Buffer.from(text);
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
    tail = (tail + text).slice(-tailBytes);
  };
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    append(stream.end());
  };
  return {
    path,
    write(text) {
      append(stream.write(typeof text === 'string' ? text : decoder.write(Buffer.from(text))));
      // Keeps a dying process's last words, even without a line end.
      timer ??= setTimeout(flush, restMs).unref();
    },
    lastLine() {
      flush();
      return tail.trimEnd().split('\n').at(-1) ?? '';
    },
    close() {
      flush();
      closeSync(fd);
    },
  };
}
