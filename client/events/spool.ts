import { createTail } from './tail.ts';

/** The text of the running model call so far. */
export interface SpoolReader {
  /** The last 4,000 characters of the newest call; a retry starts over. */
  read(): Promise<string>;
  close(): Promise<void>;
}

const maxChars = 4_000;

/** Reads `<state>/spool/<workflowId>.ndjson`. Best effort: a missing or malformed file gives no text. */
export function createSpoolReader(file: string): SpoolReader {
  const tail = createTail(file);
  let call = '';
  let text = '';

  const take = (line: string): void => {
    try {
      const { activity, attempt, text: piece } = JSON.parse(line) as Record<string, unknown>;
      const name = `${String(activity)}/${String(attempt)}`;
      if (name !== call) text = '';
      call = name;
      if (typeof piece === 'string') text = (text + piece).slice(-maxChars);
    } catch {
      // A line cut by a crash.
    }
  };

  return {
    async read() {
      const lines = await tail.read().catch(() => []);
      for (const line of lines) take(line);
      return text;
    },
    close: () => tail.close(),
  };
}
