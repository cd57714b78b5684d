import { lstatSync } from 'node:fs';
import { dirname } from 'node:path';
import { toText } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import { readEntry } from './entries.ts';
import { keepObjects } from './kept.ts';
import { addParts } from './parts.ts';
import type { Parts } from './parts.ts';
import { gitFolderCoverage, scanFolder, workspaceCoverage } from './scan.ts';
import { toView } from './shadow.ts';
import type { Memory, Shadow } from './shadow.ts';
import { stampFolder } from './stamp.ts';

export interface Captured {
  readonly tree: string;
  /** Paths that are there and not in the snapshot, for people. */
  readonly uncovered: readonly string[];
}

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
  await keepObjects(shadow, path);
  memory.git = { stamp, tree: whole, held };
  return { git: whole };
}
