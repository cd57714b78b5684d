import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ifThere } from '../../audit/record/missing.ts';
import { readTextIfAny, writeOnce } from '../../audit/record/once.ts';
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

/**
 * Refs as loose files in git's own format, never packed. Hard-linking a finished file is the compare-and-swap: it fails
 * if the name exists, and a killed process leaves either the whole ref or none.
 */
export function createRefs(repository: string): Refs {
  const root = join(repository, 'refs', 'agent');
  const read = (name: string): string | undefined => readTextIfAny(join(root, name))?.trim();
  return {
    read,
    create(name, commit) {
      const file = join(root, name);
      // The next to open the store removes what a killed process left here.
      const unfinished = join(repository, 'unfinished');
      mkdirSync(unfinished, { recursive: true, mode: 0o700 });
      if (!writeOnce(file, `${commit}\n`, join(unfinished, toTempName())))
        return read(name) ?? commit;
      syncFolder(dirname(file));
      return commit;
    },
    list: (prefix) =>
      ifThere(() => readdirSync(join(root, prefix), { recursive: true, withFileTypes: true }))
        ?.filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
        .toSorted() ?? [],
    remove: (prefix) => rmSync(join(root, prefix), { recursive: true, force: true }),
  };
}
