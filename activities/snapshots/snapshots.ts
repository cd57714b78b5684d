import { createHash } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addParts, noParts, readParts, readUncovered } from './parts.ts';
import { captureWorkspace } from './capture.ts';
import type { Captured } from './capture.ts';
import type { Shadow } from './shadow.ts';
import { createGit, openRepository } from './git.ts';
import { createAllowance } from './coverage.ts';
import { createObjects, createPackReader } from './objects.ts';
import { createRefs } from './refs.ts';
import type { Refs } from './refs.ts';
import { compareTrees, isSameBut } from './compare.ts';
import type { Change } from './compare.ts';
import { restoreWorkspace } from './restore.ts';
import type { Restored } from './restore.ts';
import { findTouched } from './uncovered.ts';
import type { Touched } from './uncovered.ts';
import { toText } from './byte-path.ts';
import { findDifferences, findFile, putBack } from './difference.ts';
import type { Difference, FileEntry } from './difference.ts';
import { fetchObjects } from './git-objects.ts';
import { mergeSnapshots } from './merge.ts';
import type { Merged, ThreeTrees } from './merge.ts';
import { renderTrees } from './diff.ts';
import { sortChanges, withoutIgnored } from './ignored.ts';
import { undoChange } from './undo.ts';
import type { Undone, UndoneChange } from './undo.ts';
import { coverPaths, updateSnapshot } from './update.ts';
import { readTextIfAny } from '../../audit/record/once.ts';

export type { Captured } from './capture.ts';
export type { Touched } from './uncovered.ts';

/** A file that differs between two snapshots. */
export interface FileChange {
  readonly kind: Change['kind'];
  /** Relative to the workspace. */
  readonly path: string;
}

export interface SortedChanges {
  readonly changes: readonly FileChange[];
  readonly ignored: readonly FileChange[];
}

export interface Commit {
  /** Snapshot of the workspace. */
  readonly tree: string;
  readonly message: string;
}

/** Snapshots of one workspace, in a separate git repository outside it. The caller holds the lease. */
export interface Snapshots {
  readonly refs: Refs;
  /** Takes a snapshot of the workspace. */
  capture(): Promise<Captured>;
  /** The snapshot `tree` updated for `paths` from disk, without looking at anything else. */
  update(tree: string, paths: readonly string[]): Promise<string>;
  /** The snapshot extended by those of the paths it lists as uncovered, as they are on disk. */
  cover(tree: string, paths: readonly string[]): Promise<string>;
  /** Restores a snapshot; returns what could not be restored or had to stay. @throws RestoreError */
  restore(tree: string): Promise<Restored>;
  /** Uncovered paths of a snapshot that have changed on disk. `now`: a current snapshot, for finding what was moved. */
  findTouched(tree: string, now?: string): Promise<Touched[]>;
  /** Whether two snapshots are equal apart from uncovered paths. */
  isSame(one: string, other: string): Promise<boolean>;
  /**
   * Fetches the git objects of all repositories in a snapshot from another copy of the workspace, for the next
   * `restore`.
   */
  fetchObjects(from: string, tree: string): Promise<void>;
  /** Whether the store has the snapshot. */
  has(tree: string): Promise<boolean>;
  /**
   * The workspace at `current` with the change from `before` to `after` reverted, keeping later changes. Does not touch
   * the disk.
   */
  without(change: UndoneChange): Promise<Undone>;
  /** Merges both sides. Does not touch the disk. */
  merge(trees: ThreeTrees): Promise<Merged>;
  /** Files that differ, nested repositories included. */
  compare(before: string, after: string): Promise<FileChange[]>;
  /** As `compare`, with each file's old and new entry; fast if little differs. */
  difference(before: string, after: string): Promise<Difference[]>;
  /** The file at a path in a snapshot, if any. */
  find(tree: string, path: string): Promise<FileEntry | undefined>;
  /** A file's content, or a link's target. */
  content(entry: FileEntry): Promise<Buffer>;
  /** The snapshot with these files as they were in `before`. */
  putBack(tree: string, before: string, differences: readonly Difference[]): Promise<string>;
  /** As `compare`, with ignored files separate. */
  sortChanges(before: string, after: string): Promise<SortedChanges>;
  /** `tree` without changes to ignored files since `base`, and the paths of those. */
  withoutIgnored(
    base: string,
    tree: string,
  ): Promise<{ readonly tree: string; readonly ignored: readonly string[] }>;
  /** Unified diff: sources, then tests, then generated files; without the paths in `without`. */
  renderDiff(before: string, after: string, without?: readonly FileChange[]): Promise<string>;
  /** Stores a commit and returns its id. Durable when it resolves. */
  commit(commit: Commit, parent?: string): Promise<string>;
  readCommit(id: string): Promise<Commit>;
  /** Keeps a snapshot under a ref: `ref` followed by its commit id. */
  keep(ref: string, tree: string): Promise<void>;
}

const toFileChange = ({ kind, path }: Change): FileChange => ({ kind, path: toText(path) });

/** A workspace's name in file names. */
export const toWorkspaceName = (workspace: string): string =>
  createHash('sha256').update(workspace).digest('hex').slice(0, 16);

const toFamilyFile = (root: string, name: string): string => join(root, `${name}.family`);

interface Family {
  /** Name of the workspace that has the repository. */
  readonly name: string;
  /** Absolute path of the workspace this one is a copy of. */
  readonly origin?: string;
}

function readFamily(root: string, own: string): Family | undefined {
  const text = readTextIfAny(toFamilyFile(root, own));
  if (text === undefined) return undefined;
  const [name = '', ...path] = text.split('\n');
  const origin = path.join('\n');
  return origin === '' ? { name } : { name, origin };
}

/** Lets a copy share its origin's snapshot repository, so that either can be restored to the other's snapshots. */
export function joinFamily(root: string, copy: string, original: string): void {
  const name = toWorkspaceName(original);
  const own = toWorkspaceName(copy);
  // A folder that already has snapshots keeps them: other runs have worked there.
  if (existsSync(join(root, `${own}.git`)) || readFamily(root, own) !== undefined) return;
  const family = readFamily(root, name)?.name ?? name;
  writeFileSync(toFamilyFile(root, own), `${family}\n${original}`, { mode: 0o600 });
}

/** Name of a workspace's snapshot repository, without `.git`. */
export function toStoreName(root: string, workspace: string): string {
  const name = toWorkspaceName(workspace);
  return readFamily(root, name)?.name ?? name;
}

/** Opens any snapshot repository for reading and for keeping snapshots. */
export const openStore = (repository: string): Snapshots =>
  openShadow({ repository, prefix: 'index-none', workspace: repository }, undefined);

/**
 * Opens the snapshots of a workspace (absolute, free of links) below `root`. `mark` is set in the environment of every
 * process started for them; without it, only reading is allowed.
 */
export function openSnapshots(
  root: string,
  workspace: string,
  mark: string | undefined,
): Snapshots {
  const name = toWorkspaceName(workspace);
  const family = readFamily(root, name);
  const repository = join(root, `${family?.name ?? name}.git`);
  const prefix = `index-${name}`;
  const { origin } = family ?? {};
  const place = { repository, prefix, workspace, origin };
  return openShadow(place, mark);
}

type Place = Pick<Shadow, 'repository' | 'prefix' | 'workspace' | 'origin'>;

function openShadow(place: Place, mark: string | undefined): Snapshots {
  const { repository, prefix } = place;
  openRepository(repository, mark === undefined ? undefined : prefix);
  const git = createGit(mark ?? 'reader');
  const objects = createObjects(repository, createPackReader(git, repository));
  const refs = createRefs(repository);
  const keepAside = async (tree: string): Promise<void> => {
    const id = await commit({ tree, message: 'Overwritten by a restore; in no other snapshot.' });
    refs.create(`aside/${id}`, id);
  };
  const shadow: Shadow = {
    ...place,
    git,
    objects,
    keepAside,
    memories: new Map(),
    allowance: createAllowance(),
  };
  // Not the workspace itself, which may be gone.
  const stored = { repository, index: `${prefix}-none`, folder: repository };

  const compare = async (before: string, after: string): Promise<FileChange[]> => {
    if (before === after) return [];
    const [old, fresh] = [await readParts(objects, before), await readParts(objects, after)];
    const changes = (await compareTrees(shadow, stored, old.files, fresh.files)).map(
      ({ kind, path }) => ({ kind, path: toText(path) }),
    );
    for (const path of new Set([...old.nested.keys(), ...fresh.nested.keys()])) {
      const [from, to] = [old.nested.get(path), fresh.nested.get(path)];
      const inner = await compare(from ?? (await nothing()), to ?? (await nothing()));
      changes.push(
        ...inner.map((change) => ({ ...change, path: `${toText(path)}/${change.path}` })),
      );
    }
    return changes;
  };

  const nothing = async (): Promise<string> => {
    const id = addParts(objects, noParts);
    await objects.flush();
    return id;
  };

  const commit: Snapshots['commit'] = async ({ tree, message }, parent) => {
    const who = 'dev-agent <dev-agent@localhost> 0 +0000';
    const lines = [
      `tree ${tree}`,
      ...(parent === undefined ? [] : [`parent ${parent}`]),
      `author ${who}`,
      `committer ${who}`,
      '',
      message,
    ];
    const id = objects.add('commit', Buffer.from(lines.join('\n')));
    await objects.flush();
    return id;
  };

  return {
    refs,
    capture: () => captureWorkspace(shadow),
    update: (tree, paths) => updateSnapshot(shadow, tree, paths),
    cover: (tree, paths) => coverPaths(shadow, tree, paths),
    restore: (tree) => restoreWorkspace(shadow, tree),
    async findTouched(tree, now = tree) {
      const before = await readUncovered(objects, tree);
      if (before.size === 0) return [];
      return findTouched(shadow.workspace, before, await readUncovered(objects, now));
    },
    isSame: (one, other) => isSameBut(shadow, one, other),
    fetchObjects: (from, tree) => fetchObjects(shadow, from, tree),
    compare,
    difference: (before, after) => findDifferences(objects, before, after),
    find: (tree, path) => findFile(objects, tree, Buffer.from(path).toString('latin1')),
    content: ({ id }) => objects.read(id),
    async putBack(tree, before, differences) {
      const id = await putBack(objects, [tree, before], differences);
      await objects.flush();
      return id;
    },
    merge: (trees) =>
      mergeSnapshots(shadow, (tree, parent) => commit({ tree, message: '' }, parent), trees),
    has: (tree) =>
      objects.read(tree).then(
        () => true,
        () => false,
      ),
    async without(change) {
      const undone = await undoChange(shadow, change);
      await objects.flush();
      return undone;
    },
    async sortChanges(before, after) {
      const { changes, ignored } = await sortChanges(shadow, before, after);
      return { changes: changes.map(toFileChange), ignored: ignored.map(toFileChange) };
    },
    withoutIgnored: (base, tree) => withoutIgnored(shadow, base, tree),
    async renderDiff(before, after, without = []) {
      const [old, fresh] = [await readParts(objects, before), await readParts(objects, after)];
      const left = new Set(without.map(({ path }) => Buffer.from(path).toString('latin1')));
      const text = await renderTrees(shadow, old.files, fresh.files, left);
      return Buffer.from(text, 'latin1').toString('utf8');
    },
    commit,
    async keep(ref, tree) {
      const id = await commit({ tree, message: '{}' });
      refs.create(`${ref}${id}`, id);
    },
    async readCommit(id) {
      const text = (await objects.read(id)).toString('utf8');
      const end = text.indexOf('\n\n');
      return { tree: text.slice(5, 45), message: text.slice(end + 2) };
    },
  };
}
