import { accessSync, constants, lstatSync } from 'node:fs';
import { dirname } from 'node:path';
import { toText } from './byte-path.ts';
import type { BytePath } from './byte-path.ts';
import { readEntry } from './entries.ts';
import { keepObjects } from './git-objects.ts';
import { lookAtModes } from './modes.ts';
import { addParts } from './parts.ts';
import type { Parts } from './parts.ts';
import type { View } from './git.ts';
import { gitFolderCoverage, workspaceCoverage } from './coverage.ts';
import type { Coverage } from './coverage.ts';
import { scanFolder } from './scan.ts';
import { toView } from './shadow.ts';
import type { Memory, Shadow } from './shadow.ts';
import { identifyAll } from './uncovered.ts';
import { fingerprintFolder } from './fingerprint.ts';
import type { Fingerprint } from './fingerprint.ts';

export interface Captured {
  readonly tree: string;
  /** Existing paths missing from the snapshot, for people. */
  readonly uncovered: readonly string[];
}

/** Takes a snapshot of the whole workspace. Its objects are durable when it resolves. */
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
  const [{ scan, look }, { left, ...git }] = await Promise.all([
    scanFiles(shadow, view, memory),
    captureGitFolder(shadow, path, memory),
  ]);
  const below = (inner: BytePath): BytePath => (path === '' ? inner : `${path}/${inner}`);
  uncovered.push(...[...scan.uncovered, ...left].map((inner) => toText(below(inner))));
  const nested = new Map<BytePath, string>();
  for (const inner of scan.nested)
    nested.set(inner, await captureRepository(shadow, below(inner), uncovered));
  return addParts(shadow.objects, {
    files: scan.tree,
    empty: scan.empty,
    nested,
    uncovered: identifyAll(view.folder, [...scan.uncovered, ...left]),
    modes: look.modes,
    ...git,
  });
}

/** Up to this many files, checking each in this process beats starting one git. */
const maxFingerprinted = 300;

/** Excludes what repositories in the folder store internally. */
const filesCoverage: Coverage = {
  ...workspaceCoverage,
  isExcluded: (path) => /(?:^|\/)\.git$/.test(path) || workspaceCoverage.isExcluded(path),
};

async function scanFiles(
  shadow: Shadow,
  view: View,
  memory: Memory,
): Promise<Pick<NonNullable<Memory['files']>, 'scan' | 'look'>> {
  const fingerprint = fingerprintFolder(view.folder, filesCoverage, maxFingerprinted);
  if (fingerprint !== undefined && memory.files?.fingerprint === fingerprint.hash)
    return memory.files;
  const scan = await scanFolder(shadow, view, workspaceCoverage, memory.files?.scan.held);
  const look = await lookAtModes(shadow, view, scan, memory.files?.look);
  memory.files = { ...toMemory(fingerprint), scan, look };
  return memory.files;
}

/** Only what was quiet by then can be recognized later. */
const toMemory = (fingerprint: Fingerprint | undefined): { readonly fingerprint?: string } =>
  fingerprint?.settled === true ? { fingerprint: fingerprint.hash } : {};

/** git rejects larger `.git` files too. */
const maxPointerBytes = 1024 * 1024;

function isOpen(folder: string): boolean {
  try {
    accessSync(folder, constants.R_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

interface GitPart extends Pick<Parts, 'git' | 'pointer'> {
  /** `.git` entries that cannot be covered. */
  readonly left: readonly BytePath[];
}

async function captureGitFolder(shadow: Shadow, path: BytePath, memory: Memory): Promise<GitPart> {
  const view = toView(shadow, path, 'git');
  const stat = lstatSync(view.folder, { throwIfNoEntry: false });
  if (stat === undefined) return { left: [] };
  if (!stat.isDirectory()) {
    const pointer =
      stat.size > maxPointerBytes
        ? undefined
        : readEntry(shadow.objects, dirname(view.folder), '.git');
    return pointer === undefined ? { left: ['.git'] } : { pointer, left: [] };
  }
  if (!isOpen(view.folder)) return { left: ['.git'] };
  const fingerprint = fingerprintFolder(view.folder, gitFolderCoverage);
  if (fingerprint !== undefined && memory.git?.fingerprint === fingerprint.hash)
    return { git: memory.git.tree, left: [] };
  const scan = await scanFolder(shadow, view, gitFolderCoverage, memory.git?.held);
  const { tree, empty, held } = scan;
  const uncovered = scan.uncovered.filter((at) => !gitFolderCoverage.isExcluded(at));
  const whole = addParts(shadow.objects, {
    files: tree,
    empty,
    nested: new Map(),
    uncovered: identifyAll(view.folder, uncovered),
  });
  await keepObjects(shadow, path);
  memory.git = { ...toMemory(fingerprint), tree: whole, held };
  return { git: whole, left: [] };
}
