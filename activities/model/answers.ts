import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';

/** Finished answers, stored before the activity completes: a crash in between neither pays for nor changes an answer. */
export interface Answers {
  read<T>(key: string): Promise<T | undefined>;
  write(key: string, answer: unknown): Promise<void>;
}

export const createAnswers = (folder: string): Answers => {
  const fileOf = (key: string): string =>
    join(folder, `${createHash('sha256').update(key).digest('hex')}.json`);
  return {
    async read<T>(key: string) {
      const text = await readFile(fileOf(key), 'utf8').catch(() => undefined);
      return text === undefined ? undefined : (JSON.parse(text) as T);
    },
    async write(key, answer) {
      const file = fileOf(key);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const handle = await open(`${file}.tmp`, 'w', 0o600);
      try {
        await handle.writeFile(JSON.stringify(answer));
        await handle.datasync();
      } finally {
        await handle.close();
      }
      await rename(`${file}.tmp`, file);
    },
  };
};
