import { appendFile, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createRedactionStream } from '../../policies/secrets/redaction-stream.ts';
import { formRedactor } from '../../policies/secrets/redaction.ts';
import type { Redactor } from '../../policies/secrets/redaction.ts';

export interface Spool {
  readonly add: (text: string) => void;
  end(): Promise<void>;
}

const batchMs = 60;
const suffix = '.ndjson';

/**
 * Streams a running model call's text to viewers: `{"activity","attempt","text"}` lines in
 * `<folder>/<workflowId>.ndjson`, redacted. Best effort, not part of the record; write failures are ignored.
 */
export function openSpool(
  folder: string,
  workflowId: string,
  activity: string,
  attempt: number,
  redactor: Redactor = formRedactor,
): Spool {
  const stream = createRedactionStream(redactor);
  let waiting = '';
  let timer: NodeJS.Timeout | undefined;
  let writing = Promise.resolve();
  const flush = (): void => {
    timer = undefined;
    if (waiting === '') return;
    const line = `${JSON.stringify({ activity, attempt, text: waiting })}\n`;
    waiting = '';
    writing = writing
      .then(() => mkdir(folder, { recursive: true, mode: 0o700 }))
      .then(() => appendFile(join(folder, `${workflowId}${suffix}`), line, { mode: 0o600 }))
      .catch(() => undefined);
  };
  return {
    add(text) {
      waiting += stream.write(text);
      timer ??= setTimeout(flush, batchMs);
    },
    async end() {
      clearTimeout(timer);
      waiting += stream.end();
      flush();
      await writing;
    },
  };
}

/** Removes the files of finished runs. */
export async function pruneSpool(
  folder: string,
  isOver: (workflowId: string) => boolean,
): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (name.endsWith(suffix) && isOver(name.slice(0, -suffix.length)))
      await rm(join(folder, name), { force: true });
  }
}
