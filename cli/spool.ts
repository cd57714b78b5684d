import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

/** Text of the model call under way, as far as it has come. */
export interface SpoolReader {
  /** Reads what is new; '' when there is nothing. A retried call starts its text again. */
  read(): Promise<string>;
  close(): Promise<void>;
}

const most = 4_000;

/** Tails `<state>/spool/<workflowId>.ndjson`. Best effort: a missing or odd file is simply no text. */
export function createSpoolReader(file: string): SpoolReader {
  let handle: FileHandle | undefined;
  let position = 0;
  let rest = '';
  let call = '';
  let text = '';
  const buffer = Buffer.alloc(65_536);

  const take = (line: string): void => {
    try {
      const { activity, attempt, text: piece } = JSON.parse(line) as Record<string, unknown>;
      const name = `${String(activity)}/${String(attempt)}`;
      if (name !== call) text = '';
      call = name;
      if (typeof piece === 'string') text = (text + piece).slice(-most);
    } catch {
      // A line cut by a crash.
    }
  };

  return {
    async read() {
      try {
        handle ??= await open(file, 'r');
        if ((await handle.stat()).size < position) {
          position = 0;
          rest = '';
        }
        for (;;) {
          const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
          if (bytesRead === 0) break;
          position += bytesRead;
          const lines = (rest + buffer.toString('latin1', 0, bytesRead)).split('\n');
          rest = lines.pop() ?? '';
          // Split as bytes, read as UTF-8: a character may lie across two reads.
          for (const line of lines) take(Buffer.from(line, 'latin1').toString('utf8'));
        }
      } catch {
        return text;
      }
      return text;
    },
    async close() {
      await handle?.close();
    },
  };
}
