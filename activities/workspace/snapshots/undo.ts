import { addParts, readParts } from './parts.ts';
import { toView } from './shadow.ts';
import type { Parts } from './parts.ts';
import type { Shadow } from './shadow.ts';
import type { Objects, TreeEntry } from './objects.ts';
import { emptyTree } from './objects.ts';
import { compareTrees } from './restore.ts';
import type { BytePath } from './byte-path.ts';
import { toText } from './byte-path.ts';
import { replaceIn } from './entries.ts';
import { isSameGit } from './notes.ts';

export interface UndoneChange {
  readonly before: string;
  readonly after: string;
  readonly current: string;
}

export interface Undone {
  /** Snapshot to bring the workspace to. */
  readonly tree: string;
  /** Paths taken back. */
  readonly undone: readonly string[];
  /** Paths that somebody changed since: they stay as they are. */
  readonly kept: readonly string[];
}

/** Takes a change out of what is there now, path by path, as a revert would, without merging inside a file. */
export async function undoChange(shadow: Shadow, change: UndoneChange): Promise<Undone> {
  const { objects } = shadow;
  const [before, after, current] = [
    await readParts(objects, change.before),
    await readParts(objects, change.after),
    await readParts(objects, change.current),
  ];
  const undone: string[] = [];
  const kept: string[] = [];
  let files: string | undefined = current.files;
  // Not the workspace itself, which may be gone.
  const view = { ...toView(shadow, '', 'files'), folder: shadow.repository };
  for (const { path } of await compareTrees(shadow, view, before.files, after.files)) {
    const names = path.split('/');
    const now = await findEntry(objects, files, names);
    if (isSame(now, await findEntry(objects, after.files, names))) {
      files = await replaceIn(objects, files, names, await findEntry(objects, before.files, names));
      undone.push(toText(path));
    } else if (!isSame(now, await findEntry(objects, before.files, names))) kept.push(toText(path));
  }
  const git = await undoGitFolder(shadow, { before, after, current });
  if (git.kept) kept.push('.git');
  const nested = new Map(current.nested);
  for (const path of new Set([...before.nested.keys(), ...after.nested.keys()])) {
    const inner = undoNested(path, { before, after, current });
    if (inner === 'kept') kept.push(`${toText(path)}/`);
    else if (inner.tree !== current.nested.get(path)) {
      undone.push(`${toText(path)}/`);
      if (inner.tree === undefined) nested.delete(path);
      else nested.set(path, inner.tree);
    }
  }
  const empty: BytePath[] = [];
  for (const path of new Set([...current.empty, ...before.empty])) {
    const filled = (await findEntry(objects, files, path.split('/'))) !== undefined;
    if (!filled && !isNewIn(path, before, after)) empty.push(path);
  }
  const tree = addParts(objects, {
    ...{ files: files ?? emptyTree, empty: empty.toSorted(), nested },
    ...(git.tree === undefined ? {} : { git: git.tree }),
    ...(current.pointer === undefined ? {} : { pointer: current.pointer }),
  });
  return { tree, undone, kept };
}

interface Three<T> {
  readonly before: T;
  readonly after: T;
  readonly current: T;
}

const isNewIn = (path: BytePath, before: Parts, after: Parts): boolean =>
  after.empty.includes(path) && !before.empty.includes(path);

async function undoGitFolder(
  shadow: Shadow,
  { before, after, current }: Three<Parts>,
): Promise<{ readonly tree?: string; readonly kept: boolean }> {
  const keep = { ...(current.git === undefined ? {} : { tree: current.git }), kept: false };
  if (before.git === after.git) return keep;
  if (!(await isSameGit(shadow, after.git, current.git))) return { ...keep, kept: true };
  return { ...(before.git === undefined ? {} : { tree: before.git }), kept: false };
}

/** A repository inside is taken back whole or not at all. */
function undoNested(
  path: BytePath,
  { before, after, current }: Three<Parts>,
): 'kept' | { readonly tree: string | undefined } {
  const [from, to, now] = [before, after, current].map(({ nested }) => nested.get(path));
  if (from === to) return { tree: now };
  return now === to ? { tree: from } : 'kept';
}

const isSame = (a: TreeEntry | undefined, b: TreeEntry | undefined): boolean =>
  a?.id === b?.id && a?.mode === b?.mode;

async function findEntry(
  objects: Objects,
  tree: string | undefined,
  [name = '', ...rest]: readonly string[],
): Promise<TreeEntry | undefined> {
  if (tree === undefined) return undefined;
  const found = (await objects.readTree(tree)).find((entry) => entry.name === name);
  if (found === undefined || rest.length === 0) return found;
  return found.mode === '40000' ? await findEntry(objects, found.id, rest) : undefined;
}
