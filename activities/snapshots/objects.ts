/**
 * Reads and writes single objects of the shadow repository in this process: a file tool changes a handful, and a git
 * process for each would cost more than the rest of the call. Format: gitformat-loose, git-mktree(1).
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, utimesSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { deflateSync, inflateSync } from 'node:zlib';
import { removeLeftTemps, toTempName } from '../../audit/record/temporary.ts';
import type { Git } from './git.ts';
import { ifThere } from '../../audit/record/missing.ts';

export type ObjectKind = 'blob' | 'tree' | 'commit';

/** Mode as git writes it: 40000 folder, 100644 file, 100755 program, 120000 link. */
export interface TreeEntry {
  readonly mode: string;
  /** One character per byte. */
  readonly name: string;
  readonly id: string;
}

export const emptyTree = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';

export interface Objects {
  /** Writes all pending objects; durable (fsync) when it resolves. */
  flush(): Promise<void>;
  /** Id of an object; the next `flush` writes it. */
  add(kind: ObjectKind, content: Buffer): string;
  addTree(entries: readonly TreeEntry[]): string;
  /** @throws if there is no such object. */
  read(id: string): Promise<Buffer>;
  readTree(id: string): Promise<TreeEntry[]>;
}

/** git sorts a folder as if its name ended in a slash. */
const sortKey = ({ mode, name }: TreeEntry): string => (mode === '40000' ? `${name}/` : name);

const byKey = (a: TreeEntry, b: TreeEntry): number => {
  const [left, right] = [sortKey(a), sortKey(b)];
  return left < right ? -1 : Number(left > right);
};

const toTree = (entries: readonly TreeEntry[]): Buffer =>
  Buffer.concat(
    entries
      .toSorted(byKey)
      .flatMap(({ mode, name, id }) => [
        Buffer.from(`${mode} ${name}\0`, 'latin1'),
        Buffer.from(id, 'hex'),
      ]),
  );

function parseTree(content: Buffer): TreeEntry[] {
  const entries: TreeEntry[] = [];
  for (let at = 0; at < content.length;) {
    const space = content.indexOf(0x20, at);
    const end = content.indexOf(0, space);
    entries.push({
      mode: content.toString('latin1', at, space),
      name: content.toString('latin1', space + 1, end),
      id: content.toString('hex', end + 1, end + 21),
    });
    at = end + 21;
  }
  return entries;
}

/** Objects of `repository`; `readPacked` reads those that are no longer loose. */
export function createObjects(
  repository: string,
  readPacked: (id: string) => Promise<Buffer>,
): Objects {
  const pending = new Map<string, Buffer>();
  const unfinished = join(repository, 'unfinished');
  removeLeftTemps(unfinished);
  const pathOf = (id: string): string => join(repository, 'objects', id.slice(0, 2), id.slice(2));

  const write = async (id: string, whole: Buffer): Promise<void> => {
    const file = pathOf(id);
    if (existsSync(file)) {
      // Renews its age, so that a concurrent prune does not remove it.
      const now = new Date();
      utimesSync(file, now, now);
      return;
    }
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const temp = join(unfinished, toTempName());
    try {
      const handle = await open(temp, 'wx', 0o400);
      try {
        await handle.writeFile(deflateSync(whole, { level: 1 }));
        await handle.datasync();
      } finally {
        await handle.close();
      }
      renameSync(temp, file);
    } catch (error) {
      // On a full disk, for example, the temp file would keep it full.
      rmSync(temp, { force: true });
      throw error;
    }
  };

  const add = (kind: ObjectKind, content: Buffer): string => {
    const whole = Buffer.concat([Buffer.from(`${kind} ${content.length}\0`), content]);
    const id = createHash('sha1').update(whole).digest('hex');
    pending.set(id, whole);
    return id;
  };

  const read = async (id: string): Promise<Buffer> => {
    const whole = pending.get(id) ?? readLoose(pathOf(id));
    return whole === undefined
      ? id === emptyTree
        ? Buffer.alloc(0)
        : await readPacked(id)
      : whole.subarray(whole.indexOf(0) + 1);
  };

  return {
    add,
    addTree: (entries) => add('tree', toTree(entries)),
    read,
    readTree: async (id) => parseTree(await read(id)),
    async flush() {
      if (pending.size > 0) mkdirSync(unfinished, { recursive: true, mode: 0o700 });
      await Promise.all([...pending].map(([id, whole]) => write(id, whole)));
      pending.clear();
    },
  };
}

const readLoose = (file: string): Buffer | undefined =>
  ifThere(() => inflateSync(readFileSync(file)));

/** Reads objects through git, packed or loose. */
export const createPackReader =
  (git: Git, repository: string) =>
  async (id: string): Promise<Buffer> => {
    const view = { repository, index: 'none', folder: repository };
    const type = (await git(view, ['cat-file', '-t', id])).trim();
    return Buffer.from(await git(view, ['cat-file', type, id]), 'latin1');
  };
