import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';

export interface Spool {
  readonly add: (text: string) => void;
  end(): Promise<void>;
}

const batchMs = 60;

/**
 * Text of a running model call, for whoever watches: `{"activity","attempt","text"}` lines in `<folder>/<workflowId>.ndjson`.
 * Best effort and beside the record; a failure to write is nobody's problem.
 */
export function openSpool(
  folder: string,
  workflowId: string,
  activity: string,
  attempt: number,
): Spool {
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
      .then(() => appendFile(join(folder, `${workflowId}.ndjson`), line, { mode: 0o600 }))
      .catch(() => undefined);
  };
  return {
    add(text) {
      waiting += text;
      timer ??= setTimeout(flush, batchMs);
    },
    async end() {
      clearTimeout(timer);
      flush();
      await writing;
    },
  };
}
