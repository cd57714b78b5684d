import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { toTempName } from '../../audit/record/temporary.ts';
import { syncFolder } from '../../audit/record/sync-folder.ts';

/** Refs of the shadow repository, created once and never moved: creating one commits a call. */
export interface Refs {
  /** The commit the ref names, if any. */
  read(name: string): string | undefined;
  /** Creates the ref unless it exists; durable. Returns the commit it names now, ours or the existing one. */
  create(name: string, commit: string): string;
  /** Names below `prefix`, sorted. */
  list(prefix: string): string[];
  /** Removes all refs below `prefix`. */
  remove(prefix: string): void;
}

const codeOf = (error: unknown): unknown => (error as NodeJS.ErrnoException).code;

/**
 * Refs as loose files in git's own format, never packed. Hard-linking a finished file is the compare-and-swap: it fails
 * if the name exists, and a killed process leaves either the whole ref or none.
 */
export function createRefs(repository: string): Refs {
  const root = join(repository, 'refs', 'agent');
  const read = (name: string): string | undefined => {
    try {
      return readFileSync(join(root, name), 'utf8').trim();
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  };
  return {
    read,
    create(name, commit) {
      const file = join(root, name);
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
      // The next to open the store removes what a killed process left here.
      const unfinished = join(repository, 'unfinished');
      mkdirSync(unfinished, { recursive: true, mode: 0o700 });
      const temp = join(unfinished, toTempName());
      try {
        const fd = openSync(temp, 'wx', 0o600);
        try {
          writeSync(fd, `${commit}\n`);
          fsyncSync(fd);
        } finally {
          closeSync(fd);
        }
        linkSync(temp, file);
        syncFolder(dirname(file));
        return commit;
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error;
        return read(name) ?? commit;
      } finally {
        rmSync(temp, { force: true });
      }
    },
    list(prefix) {
      try {
        return readdirSync(join(root, prefix), { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
          .toSorted();
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return [];
        throw error;
      }
    },
    remove: (prefix) => rmSync(join(root, prefix), { recursive: true, force: true }),
  };
}
