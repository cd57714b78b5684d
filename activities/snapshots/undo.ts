import { addParts, readParts } from './parts.ts';
import type { Parts } from './parts.ts';
import type { Shadow } from './shadow.ts';
import { emptyTree } from './objects.ts';
import type { TreeEntry } from './objects.ts';
import { compareTrees, toStoredView } from './compare.ts';
import type { BytePath } from './byte-path.ts';
import { joinPath, toText } from './byte-path.ts';
import { findEntry, replaceIn } from './entries.ts';
import { mergeModes } from './modes.ts';
import type { Modes } from './modes.ts';
import { mergeText } from './merge-text.ts';
import { isSameGit, isSameWork } from './notes.ts';
import { findUncovered } from './uncovered.ts';
import type { Uncovered } from './uncovered.ts';

export interface UndoneChange {
  readonly before: string;
  readonly after: string;
  readonly current: string;
}

export interface Undone {
  /** Snapshot to bring the workspace to. */
  readonly tree: string;
  /** Reverted paths. */
  readonly undone: readonly string[];
  /** Paths others changed since, reverted around their changes. */
  readonly merged: readonly string[];
  /** Paths others changed since, left unchanged. */
  readonly kept: readonly string[];
  /** Paths the change created and no snapshot holds, left unchanged. */
  readonly left: readonly string[];
}

interface Three<T> {
  readonly before: T;
  readonly after: T;
  readonly current: T;
}

interface Undoing {
  readonly shadow: Shadow;
  readonly undone: string[];
  readonly merged: string[];
  readonly kept: string[];
  readonly left: string[];
}

/**
 * Reverts a change in the current state, path by path. In text edited since, the revert merges around those edits or
 * leaves the file alone. What existed before without being covered always stays.
 */
export async function undoChange(shadow: Shadow, change: UndoneChange): Promise<Undone> {
  const { objects } = shadow;
  const undoing: Undoing = { shadow, undone: [], merged: [], kept: [], left: [] };
  const parts = await undoParts(undoing, '', {
    before: await readParts(objects, change.before),
    after: await readParts(objects, change.after),
    current: await readParts(objects, change.current),
  });
  const { undone, merged, kept, left } = undoing;
  return { tree: addParts(objects, parts), undone, merged, kept, left };
}

async function undoParts(undoing: Undoing, at: BytePath, three: Three<Parts>): Promise<Parts> {
  const { shadow, kept } = undoing;
  const { before, current } = three;
  const { files, uncovered } = await undoFiles(undoing, at, three);
  const git = await undoGitFolder(shadow, three);
  if (git.kept) kept.push(toText(joinPath(at, '.git')));
  const nested = await undoNested(undoing, at, three);
  const modes = await undoModes(undoing, at, three);
  const empty: BytePath[] = [];
  for (const path of new Set([...current.empty, ...before.empty])) {
    const filled = (await findEntry(shadow.objects, files, path.split('/'))) !== undefined;
    if (!filled && !isNewIn(path, three)) empty.push(path);
  }
  return {
    files,
    empty: empty.toSorted(),
    nested,
    uncovered,
    git: git.tree,
    pointer: current.pointer,
    modes,
  };
}

async function undoModes(
  { shadow, undone, merged, kept, left }: Undoing,
  at: BytePath,
  { before, after, current }: Three<Parts>,
): Promise<Modes | undefined> {
  const [base, ours, theirs] = [after.modes, current.modes, before.modes];
  const { modes, changed } = mergeModes({ base, ours, theirs });
  for (const path of changed) {
    // What came with the change goes with it.
    if ((await findEntry(shadow.objects, before.files, path.split('/'))) === undefined) continue;
    const name = toText(joinPath(at, path));
    if (![undone, merged, kept, left].some((names) => names.includes(name))) undone.push(name);
  }
  return modes;
}

const isNewIn = (path: BytePath, { before, after }: Three<Parts>): boolean =>
  after.empty.includes(path) && !before.empty.includes(path);

async function undoFiles(
  { shadow, undone, merged, kept, left }: Undoing,
  at: BytePath,
  three: Three<Parts>,
): Promise<Pick<Parts, 'files' | 'uncovered'>> {
  const { objects } = shadow;
  const { before, after, current } = three;
  const uncovered = new Map(current.uncovered);
  let files: string | undefined = current.files;
  for (const path of await findChanged(shadow, three)) {
    const names = path.split('/');
    const name = toText(joinPath(at, path));
    const was = await findState(shadow, before, path);
    const did = await findState(shadow, after, path);
    const is = await findState(shadow, { ...current, files: files ?? emptyTree }, path);
    // No snapshot holds it, whether it existed before or the run created it: report it.
    if (was.kind === 'uncovered') continue;
    if (did.kind === 'uncovered' && was.kind === 'none') {
      if (is.kind === 'uncovered') left.push(name);
      continue;
    }
    if (isSame(is, did)) {
      files = await replaceIn(objects, files, names, was.entry);
      undone.push(name);
    } else if (!isSame(is, was)) {
      const entry = await mergeStates(shadow, { before: was, after: did, current: is });
      (entry === undefined ? kept : merged).push(name);
      if (entry === undefined) continue;
      files = await replaceIn(objects, files, names, entry);
    } else continue;
    // From here on a snapshot has it.
    const gap = findUncovered(uncovered, path);
    if (gap !== undefined && was.entry !== undefined) uncovered.delete(gap);
  }
  for (const [path, identity] of before.uncovered)
    if (!uncovered.has(path) && (await findEntry(objects, files, path.split('/'))) === undefined)
      uncovered.set(path, identity);
  return { files: files ?? emptyTree, uncovered };
}

/** Paths that differ between before and after, covered or not. */
async function findChanged(
  shadow: Shadow,
  { before, after }: Three<Parts>,
): Promise<Set<BytePath>> {
  const changes = await compareTrees(shadow, toStoredView(shadow), before.files, after.files);
  const fresh = [...after.uncovered.keys()].filter((path) => !before.uncovered.has(path));
  return new Set([...changes.map(({ path }) => path), ...fresh]);
}

/** What a snapshot knows of a path. */
type State =
  | { readonly kind: 'entry'; readonly entry: TreeEntry }
  | { readonly kind: 'uncovered'; readonly identity: string; readonly entry?: never }
  | { readonly kind: 'none'; readonly entry?: never };

async function findState(
  { objects }: Shadow,
  { files, uncovered }: { readonly files: string; readonly uncovered: Uncovered },
  path: BytePath,
): Promise<State> {
  const gap = findUncovered(uncovered, path);
  if (gap !== undefined) return { kind: 'uncovered', identity: uncovered.get(gap) ?? '' };
  const entry = await findEntry(objects, files, path.split('/'));
  return entry === undefined ? { kind: 'none' } : { kind: 'entry', entry };
}

function isSame(a: State, b: State): boolean {
  if (a.kind === 'uncovered') return b.kind === 'uncovered' && a.identity === b.identity;
  if (b.kind === 'uncovered') return false;
  return a.entry?.id === b.entry?.id && a.entry?.mode === b.entry?.mode;
}

/** The current text without the run's change; undefined on conflict, or if it is not text. */
async function mergeStates(
  shadow: Shadow,
  { before, after, current }: Three<State>,
): Promise<TreeEntry | undefined> {
  const [was, did, is] = [before.entry, after.entry, current.entry];
  if (was === undefined || did === undefined || is === undefined) return undefined;
  if (![was, did, is].every(({ mode }) => mode.startsWith('100'))) return undefined;
  const id = await mergeText(shadow, { base: did.id, ours: is.id, theirs: was.id });
  return id === undefined ? undefined : { ...is, id };
}

async function undoGitFolder(
  shadow: Shadow,
  { before, after, current }: Three<Parts>,
): Promise<{ readonly tree?: string; readonly kept: boolean }> {
  const keep = { tree: current.git, kept: false };
  if (await isSameGit(shadow, before.git, after.git)) return keep;
  if (!(await isSameGit(shadow, after.git, current.git))) return { ...keep, kept: true };
  return { tree: before.git, kept: false };
}

/** A repository present throughout is reverted path by path; one that came or went, as a whole. */
async function undoNested(
  undoing: Undoing,
  at: BytePath,
  { before, after, current }: Three<Parts>,
): Promise<Map<BytePath, string>> {
  const { shadow, undone, kept, left } = undoing;
  const { objects } = shadow;
  const nested = new Map(current.nested);
  for (const path of new Set([...before.nested.keys(), ...after.nested.keys()])) {
    const [was, did, is] = [before, after, current].map((parts) => parts.nested.get(path));
    const name = `${toText(joinPath(at, path))}/`;
    if (await isSameWork(shadow, was, did)) continue;
    if (was !== undefined && did !== undefined && is !== undefined) {
      const inner = await undoParts(undoing, joinPath(at, path), {
        before: await readParts(objects, was),
        after: await readParts(objects, did),
        current: await readParts(objects, is),
      });
      nested.set(path, addParts(objects, inner));
    } else if (was === undefined && findUncovered(before.uncovered, path) !== undefined)
      left.push(name);
    else if (await isSameWork(shadow, is, did)) {
      undone.push(name);
      if (was === undefined) nested.delete(path);
      else nested.set(path, was);
    } else if (!(await isSameWork(shadow, is, was))) kept.push(name);
  }
  return nested;
}
