import type { Objects, TreeEntry } from './objects.ts';
import { emptyTree } from './objects.ts';
import type { BytePath } from './byte-path.ts';
import type { Modes } from './modes.ts';
import type { Uncovered } from './uncovered.ts';

/**
 * The entries of a snapshot's tree: `files` the folder, `git` its git folder without objects or `pointer` the file that
 * points to it, `empty` the empty folders, `nested` one snapshot per inner repository, `uncovered` what existed but is
 * not included, `modes` the non-default permissions.
 */
export interface Parts {
  readonly files: string;
  readonly git?: string;
  /** `.git` as a file or link that points to the git folder, as in a submodule or linked worktree. */
  readonly pointer?: Pick<TreeEntry, 'mode' | 'id'>;
  readonly empty: readonly BytePath[];
  /** Path of a nested repository → its snapshot. */
  readonly nested: ReadonlyMap<BytePath, string>;
  /** What existed but is in none of these. Snapshots of older versions do not record it. */
  readonly uncovered: Uncovered;
  /** Undefined (unknown) for git folders and in snapshots of older versions. */
  readonly modes?: Modes;
}

/** For a folder that does not exist. */
export const noParts: Parts = {
  files: emptyTree,
  empty: [],
  nested: new Map(),
  uncovered: new Map(),
};

const separator = '\0';

export function addParts(
  objects: Objects,
  { files, git, pointer, empty, nested, uncovered, modes }: Parts,
): string {
  const entries: TreeEntry[] = [{ mode: '40000', name: 'files', id: files }];
  if (git !== undefined) entries.push({ mode: '40000', name: 'git', id: git });
  if (pointer !== undefined) entries.push({ mode: pointer.mode, name: 'pointer', id: pointer.id });
  if (empty.length > 0) {
    const id = objects.add('blob', Buffer.from(empty.join(separator), 'latin1'));
    entries.push({ mode: '100644', name: 'empty', id });
  }
  if (nested.size > 0) {
    const id = objects.addTree(
      [...nested].map(([path, tree]) => ({
        mode: '40000',
        name: path.replaceAll('%', '%25').replaceAll('/', '%2F'),
        id: tree,
      })),
    );
    entries.push({ mode: '40000', name: 'nested', id });
  }
  if (uncovered.size > 0)
    entries.push({ mode: '100644', name: 'uncovered', id: addPairs(objects, uncovered) });
  if (modes !== undefined) {
    const octal = [...modes].map(([path, mode]) => [path, mode.toString(8)] as const);
    entries.push({ mode: '100644', name: 'modes', id: addPairs(objects, octal) });
  }
  return objects.addTree(entries);
}

function addPairs(
  objects: Objects,
  pairs: Iterable<readonly [path: BytePath, value: string]>,
): string {
  const sorted = [...pairs].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return objects.add('blob', Buffer.from(sorted.flat().join(separator), 'latin1'));
}

async function readPairs(objects: Objects, id: string): Promise<[BytePath, string][]> {
  const text = (await objects.read(id)).toString('latin1');
  const words = text === '' ? [] : text.split(separator);
  return words.flatMap((word, index): [BytePath, string][] =>
    index % 2 === 0 ? [[word, words[index + 1] ?? '']] : [],
  );
}

export async function readParts(objects: Objects, tree: string): Promise<Parts> {
  const found = await objects.readTree(tree);
  const entries = new Map(found.map(({ name, id }) => [name, id]));
  const pointer = found.find(({ name }) => name === 'pointer');
  const names = ['files', 'git', 'empty', 'nested', 'uncovered', 'modes'];
  const [files, git, empty, nested, uncovered, modes] = names.map((name) => entries.get(name));
  if (files === undefined) throw new Error(`${tree} is not a snapshot of a workspace.`);
  return {
    files,
    git,
    pointer,
    empty:
      empty === undefined ? [] : (await objects.read(empty)).toString('latin1').split(separator),
    nested: new Map(
      nested === undefined
        ? []
        : (await objects.readTree(nested)).map(({ name, id }) => [
            name.replaceAll('%2F', '/').replaceAll('%25', '%'),
            id,
          ]),
    ),
    uncovered: new Map(uncovered === undefined ? [] : await readPairs(objects, uncovered)),
    modes:
      modes === undefined
        ? undefined
        : new Map(
            (await readPairs(objects, modes)).map(([path, mode]) => [
              path,
              Number.parseInt(mode, 8),
            ]),
          ),
  };
}

const below = (prefix: BytePath, path: BytePath): BytePath =>
  prefix === '' ? path : `${prefix}/${path}`;

/** What a snapshot does not cover, nested repositories and git folders included, relative to the workspace. */
export async function readUncovered(
  objects: Objects,
  tree: string,
  prefix: BytePath = '',
): Promise<Map<BytePath, string>> {
  const { uncovered, git, nested } = await readParts(objects, tree);
  const all = new Map<BytePath, string>();
  for (const [path, identity] of uncovered) all.set(below(prefix, path), identity);
  if (git !== undefined)
    for (const [path, identity] of (await readParts(objects, git)).uncovered)
      all.set(below(prefix, `.git/${path}`), identity);
  for (const [path, inner] of nested)
    for (const [at, identity] of await readUncovered(objects, inner, below(prefix, path)))
      all.set(at, identity);
  return all;
}
