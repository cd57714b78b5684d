import { createHash } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { readFile, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { failpoint } from '../../audit/record/failpoint.ts';
import { formRedactor } from '../../policies/secrets/redaction.ts';
import type { Mask } from '../../policies/secrets/redaction.ts';

/**
 * Finished answers, stored before the activity completes, so that a crash in between neither pays twice nor changes the
 * answer.
 */
export interface Answers {
  read<T>(key: string): Promise<T | undefined>;
  write(key: string, answer: unknown): void;
}

export const createAnswers = (folder: string, redactor: Mask = formRedactor): Answers => {
  const fileOf = (key: string): string =>
    join(folder, `${createHash('sha256').update(key).digest('hex')}.json`);
  return {
    async read<T>(key: string) {
      const text = await readFile(fileOf(key), 'utf8').catch(() => undefined);
      try {
        return text === undefined ? undefined : (JSON.parse(text) as T);
      } catch {
        // Torn by a power cut: treat it as absent, or it would block every retry.
        return undefined;
      }
    },
    write(key, answer) {
      failpoint('answer.before');
      const file = fileOf(key);
      // Not synced: it survives a killed process; after a lost machine the model is asked again.
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      writeFileSync(`${file}.tmp`, redactor.mask(JSON.stringify(answer)), { mode: 0o600 });
      renameSync(`${file}.tmp`, file);
      failpoint('answer.after');
    },
  };
};

/** Removes answers written before a time that no running activity can still ask for. */
export async function pruneAnswers(folder: string, beforeMs: number): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const file = join(folder, name);
    const found = await stat(file).catch(() => undefined);
    if (found !== undefined && found.mtimeMs < beforeMs) await rm(file, { force: true });
  }
}
