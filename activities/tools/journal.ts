import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** What is known of an action that was begun before. */
export type Past<T> =
  | { readonly state: 'new' }
  /** Begun and cut short; `before` is what `begin` noted. */
  | { readonly state: 'begun'; readonly before: string | null }
  | { readonly state: 'ended'; readonly result: T };

/** Begun and ended actions of runs, so that one which Temporal hands out again is not carried out twice. */
export interface Journal<T> {
  look(run: string, seq: number, digest: string): Promise<Past<T>>;
  /** Durable before it resolves. `before`: hash of the file about to change, or null. */
  begin(run: string, seq: number, digest: string, before: string | null): Promise<void>;
  end(run: string, seq: number, digest: string, result: T): Promise<void>;
}

/** The same number with another action: history and journal disagree, and nothing may be done. */
export class JournalMismatch extends Error {
  override readonly name = 'JournalMismatch';
}

interface Entry<T> {
  readonly digest: string;
  readonly before: string | null;
  readonly result?: T;
}

/** One small file an action in `<root>/<run>/<seq>.json`, replaced atomically. */
export const createJournal = <T>(root: string): Journal<T> => {
  const fileOf = (run: string, seq: number): string => join(root, run, `${seq}.json`);

  const write = async (run: string, seq: number, entry: Entry<T>): Promise<void> => {
    const file = fileOf(run, seq);
    const temp = `${file}.tmp`;
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const handle = await open(temp, 'w', 0o600);
    try {
      await handle.writeFile(JSON.stringify(entry));
      await handle.datasync();
    } finally {
      await handle.close();
    }
    await rename(temp, file).catch(async (error: unknown) => {
      await rm(temp, { force: true });
      throw error;
    });
  };

  return {
    async look(run, seq, digest) {
      const text = await readFile(fileOf(run, seq), 'utf8').catch(
        (error: NodeJS.ErrnoException) => {
          if (error.code === 'ENOENT') return undefined;
          throw error;
        },
      );
      if (text === undefined) return { state: 'new' };
      const entry = JSON.parse(text) as Entry<T>;
      if (entry.digest !== digest) {
        throw new JournalMismatch(
          `Action ${seq} of run ${run} is noted with digest ${entry.digest}, asked for with ${digest}.`,
        );
      }
      return entry.result === undefined
        ? { state: 'begun', before: entry.before }
        : { state: 'ended', result: entry.result };
    },
    begin: (run, seq, digest, before) => write(run, seq, { digest, before }),
    end: (run, seq, digest, result) => write(run, seq, { digest, before: null, result }),
  };
};
