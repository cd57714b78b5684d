import { addParts, readParts } from './parts.ts';
import type { Shadow } from './shadow.ts';
import { isSameBut } from './compare.ts';
import { findEntry, replaceIn } from './entries.ts';
import { mergeModes } from './modes.ts';
import { GitError } from './git.ts';
import { emptyTree } from './objects.ts';
import type { TreeEntry } from './objects.ts';
import type { BytePath } from './byte-path.ts';
import { toText } from './byte-path.ts';
import { isSameGit, isSameWork } from './notes.ts';

export interface ThreeTrees {
  /** The common ancestor. */
  readonly base: string;
  readonly ours: string;
  readonly theirs: string;
  /** Keep the git folder of `ours`: commits made by `theirs` are not merged. */
  readonly filesOnly?: true;
}

export type Merged =
  | {
      readonly ok: true;
      readonly tree: string;
      /** Paths of `theirs` that one side's snapshots do not cover: ours stay unchanged. */
      readonly left: readonly string[];
    }
  /** Conflicting paths. */
  | { readonly ok: false; readonly paths: readonly string[] };

/** Three-way merge of snapshots: files as git merges them, git folders and nested repositories whole or not at all. */
export async function mergeSnapshots(
  shadow: Shadow,
  commitOf: (tree: string, parent?: string) => Promise<string>,
  { filesOnly, ...trees }: ThreeTrees,
): Promise<Merged> {
  const { base, ours } = trees;
  const { objects } = shadow;
  const { tree: theirs, left } = await withCoverOf(
    shadow,
    filesOnly ? { ...trees, theirs: await withGitOf(shadow, trees) } : trees,
  );
  if ((await isSameBut(shadow, theirs, base)) || (await isSameBut(shadow, theirs, ours)))
    return { ok: true, tree: ours, left };
  if (await isSameBut(shadow, ours, base)) {
    const parts = await readParts(objects, theirs);
    const { uncovered } = await readParts(objects, ours);
    const tree = addParts(objects, { ...parts, uncovered });
    await objects.flush();
    return { ok: true, tree, left };
  }
  const [from, we, they] = [
    await readParts(objects, base),
    await readParts(objects, ours),
    await readParts(objects, theirs),
  ];
  const conflicts: string[] = [];
  /** If both sides changed only git's own notes, ours win, because the index describes our folder. */
  const whole = async (
    name: string,
    isSame: typeof isSameGit,
    [was, own, other]: readonly (string | undefined)[],
  ): Promise<string | undefined> => {
    if (await isSame(shadow, was, other)) return own === was ? other : own;
    if (await isSame(shadow, own, other)) return own;
    if (!(await isSame(shadow, was, own))) conflicts.push(name);
    return other;
  };
  const git = await whole('.git', isSameGit, [from.git, we.git, they.git]);
  const nested = new Map<BytePath, string>();
  for (const path of new Set([...we.nested.keys(), ...they.nested.keys()])) {
    const [was, own, other] = [from, we, they].map((parts) => parts.nested.get(path));
    const tree = await whole(`${toText(path)}/`, isSameWork, [was, own, other]);
    if (tree !== undefined) nested.set(path, tree);
  }
  const files = await mergeFiles(shadow, commitOf, {
    base: from.files,
    ours: we.files,
    theirs: they.files,
  });
  if (!files.ok) return { ok: false, paths: [...conflicts, ...files.paths] };
  if (conflicts.length > 0) return { ok: false, paths: conflicts };
  const gone = (path: BytePath): boolean =>
    from.empty.includes(path) && !(we.empty.includes(path) && they.empty.includes(path));
  const empty = [...new Set([...we.empty, ...they.empty])].filter((path) => !gone(path)).toSorted();
  const { modes } = mergeModes({ base: from.modes, ours: we.modes, theirs: they.modes });
  const tree = addParts(objects, {
    files: files.tree,
    empty,
    nested,
    uncovered: we.uncovered,
    modes,
    git,
    pointer: we.pointer,
  });
  await objects.flush();
  return { ok: true, tree, left };
}

/**
 * `theirs` without what only one side's snapshots cover. What theirs could not cover was not deleted, and what ours
 * does not cover is not new: neither is applied.
 */
async function withCoverOf(
  { objects }: Shadow,
  { base, ours, theirs }: ThreeTrees,
): Promise<{ readonly tree: string; readonly left: string[] }> {
  const [from, we, they] = [
    await readParts(objects, base),
    await readParts(objects, ours),
    await readParts(objects, theirs),
  ];
  const left: string[] = [];
  let files: string | undefined = they.files;
  const put = async (path: BytePath, entry: TreeEntry | undefined): Promise<void> => {
    const names = path.split('/');
    const is = await findEntry(objects, files, names);
    if (is?.id === entry?.id && is?.mode === entry?.mode) return;
    files = await replaceIn(objects, files, names, entry);
    left.push(toText(path));
  };
  for (const path of they.uncovered.keys())
    await put(path, await findEntry(objects, from.files, path.split('/')));
  for (const path of new Set([...from.uncovered.keys(), ...we.uncovered.keys()]))
    if ((await findEntry(objects, from.files, path.split('/'))) === undefined)
      await put(path, undefined);
  const tree = addParts(objects, { ...they, files: files ?? emptyTree });
  await objects.flush();
  return { tree, left };
}

/** `theirs` with the git folder of `base`. */
async function withGitOf({ objects }: Shadow, { base, theirs }: ThreeTrees): Promise<string> {
  const { git: _git, pointer: _pointer, ...parts } = await readParts(objects, theirs);
  const { git, pointer } = await readParts(objects, base);
  const tree = addParts(objects, { ...parts, git, pointer });
  await objects.flush();
  return tree;
}

async function mergeFiles(
  { git, repository, prefix }: Shadow,
  commitOf: (tree: string, parent?: string) => Promise<string>,
  { base, ours, theirs }: ThreeTrees,
): Promise<Merged> {
  const parent = await commitOf(base);
  const [own, other] = [await commitOf(ours, parent), await commitOf(theirs, parent)];
  const view = { repository, index: `${prefix}-none`, folder: repository };
  const args = ['merge-tree', '--write-tree', '-z', '--name-only', '--no-messages', own, other];
  const [tree = '', ...paths] = (await git(view, args, { accept: [0, 1] })).split('\0');
  if (!/^[0-9a-f]{40}$/.test(tree))
    throw new GitError(`git merge-tree answered ${tree.slice(0, 200)}`);
  const conflicting = paths.filter((path) => path !== '').map((path) => toText(path));
  return conflicting.length === 0
    ? { ok: true, tree, left: [] }
    : { ok: false, paths: conflicting };
}
