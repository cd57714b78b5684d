import { createHash } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Git, View } from './git.ts';
import type { Objects, TreeEntry } from './objects.ts';
import { emptyTree } from './objects.ts';
import { toText } from './byte-path.ts';
import { readEntry } from './entries.ts';
import type { BytePath } from './byte-path.ts';
import { gitFolderCoverage, scanFolder, workspaceCoverage } from './scan.ts';
import type { Held } from './scan.ts';
import { stampFolder } from './stamp.ts';

/**
 * A snapshot is one tree of these entries: `files` the folder, `git` its git folder without the objects or `pointer` the file
 * that stands for it, `empty` the folders with nothing in them, `nested` a snapshot for each repository inside.
 */
export interface Parts {
  readonly files: string;
  readonly git?: string;
  /** `.git` where it is a file or link that says where the git folder is, as in a submodule or linked work tree. */
  readonly pointer?: Pick<TreeEntry, 'mode' | 'id'>;
  readonly empty: readonly BytePath[];
  /** Path of a repository inside → its snapshot. */
  readonly nested: ReadonlyMap<BytePath, string>;
}

/** Of a folder that is not there. */
export const noParts: Parts = { files: emptyTree, empty: [], nested: new Map() };

/** What the scans of one repository found last, so that the next one can be short. */
export interface Memory {
  files?: Held;
  git?: { stamp: string; tree: string; held: Held };
}

export interface Captured {
  readonly tree: string;
  /** Paths that are there and not in the snapshot, for people. */
  readonly uncovered: readonly string[];
}

export interface Shadow {
  readonly repository: string;
  /** Start of the names of this workspace's indexes; copies of a workspace share a repository. */
  readonly prefix: string;
  /** Absolute path of the workspace. */
  readonly workspace: string;
  readonly git: Git;
  readonly objects: Objects;
  /** By path of the repository, '' for the workspace itself. */
  readonly memories: Map<BytePath, Memory>;
}

export const toView = (
  { repository, workspace, prefix }: Shadow,
  path: BytePath,
  part: 'files' | 'git',
): View => {
  const name = createHash('sha1').update(path, 'latin1').digest('hex').slice(0, 12);
  const folder = path === '' ? workspace : join(workspace, toText(path));
  return {
    repository,
    index: `${prefix}-${path === '' ? 'root' : name}-${part}`,
    folder: part === 'files' ? folder : join(folder, '.git'),
  };
};

/** Snapshot of the whole workspace. Its objects are durable when it resolves. */
export async function captureWorkspace(shadow: Shadow): Promise<Captured> {
  const uncovered: string[] = [];
  const tree = await captureRepository(shadow, '', uncovered);
  await shadow.objects.flush();
  return { tree, uncovered };
}

async function captureRepository(
  shadow: Shadow,
  path: BytePath,
  uncovered: string[],
): Promise<string> {
  const memory = shadow.memories.get(path) ?? {};
  shadow.memories.set(path, memory);
  const view = toView(shadow, path, 'files');
  const [scan, git] = await Promise.all([
    scanFolder(shadow, view, workspaceCoverage, memory.files),
    captureGitFolder(shadow, path, memory),
  ]);
  memory.files = scan.held;
  const below = (inner: BytePath): BytePath => (path === '' ? inner : `${path}/${inner}`);
  uncovered.push(...scan.uncovered.map((inner) => toText(below(inner))));
  const nested = new Map<BytePath, string>();
  for (const inner of scan.nested)
    nested.set(inner, await captureRepository(shadow, below(inner), uncovered));
  return addParts(shadow.objects, {
    files: scan.tree,
    empty: scan.empty,
    nested,
    ...git,
  });
}

/** git itself takes no larger file for one that says where the git folder is. */
const mostPointerBytes = 1024 * 1024;

async function captureGitFolder(
  shadow: Shadow,
  path: BytePath,
  memory: Memory,
): Promise<Pick<Parts, 'git' | 'pointer'>> {
  const view = toView(shadow, path, 'git');
  const stat = lstatSync(view.folder, { throwIfNoEntry: false });
  if (stat === undefined || stat.size > mostPointerBytes) return {};
  if (!stat.isDirectory()) {
    const pointer = readEntry(shadow.objects, dirname(view.folder), '.git');
    return pointer === undefined ? {} : { pointer };
  }
  const stamp = stampFolder(view.folder, gitFolderCoverage);
  if (memory.git?.stamp === stamp) return { git: memory.git.tree };
  const { tree, empty, held } = await scanFolder(shadow, view, gitFolderCoverage, memory.git?.held);
  const whole = addParts(shadow.objects, { files: tree, empty, nested: new Map() });
  memory.git = { stamp, tree: whole, held };
  return { git: whole };
}

const separator = '\0';

export function addParts(objects: Objects, { files, git, pointer, empty, nested }: Parts): string {
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
  return objects.addTree(entries);
}

export async function readParts(objects: Objects, tree: string): Promise<Parts> {
  const found = await objects.readTree(tree);
  const entries = new Map(found.map(({ name, id }) => [name, id]));
  const pointer = found.find(({ name }) => name === 'pointer');
  const [files, git, empty, nested] = ['files', 'git', 'empty', 'nested'].map((name) =>
    entries.get(name),
  );
  if (files === undefined) throw new Error(`${tree} is not a snapshot of a workspace.`);
  return {
    files,
    ...(git === undefined ? {} : { git }),
    ...(pointer === undefined ? {} : { pointer }),
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
  };
}
