/** Finds objects a git folder refers to and lacks. Reads plain files: git never runs with its settings. */
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Shadow } from './shadow.ts';
import { statPath } from './entries.ts';
import { splitNul } from './git.ts';

export interface MissingObjects {
  /** Missing objects named by refs, reflogs and indexes. */
  readonly ids: ReadonlySet<string>;
  /** True if some of them are needed: reflogs may name objects pruned long ago. */
  readonly isBroken: boolean;
  /** True if it cannot be determined: another hash function, or a partial clone. */
  readonly isUnknown: boolean;
}

interface Named {
  readonly needed: Set<string>;
  readonly wished: Set<string>;
}

export async function findMissingObjects(shadow: Shadow, folder: string): Promise<MissingObjects> {
  const config = readText(join(folder, 'config'));
  if (/objectformat\s*=\s*sha256|promisor\s*=|partialclone/i.test(config))
    return { ids: new Set(), isBroken: false, isUnknown: true };
  const named: Named = { needed: new Set(), wished: new Set() };
  for (const file of await findFiles(folder)) await readNames(shadow, join(folder, file), named);
  const all = [...new Set([...named.needed, ...named.wished])];
  const ids = new Set(await pickMissing(shadow, folder, all));
  return { ids, isBroken: [...named.needed].some((id) => ids.has(id)), isUnknown: false };
}

/** Whether a git folder has any of the objects. */
export async function hasAny(
  shadow: Shadow,
  folder: string,
  ids: ReadonlySet<string>,
): Promise<boolean> {
  if (statPath(Buffer.from(join(folder, 'objects')))?.isDirectory() !== true) return false;
  return (await pickMissing(shadow, folder, [...ids])).length < ids.size;
}

async function pickMissing(
  { git, repository }: Shadow,
  folder: string,
  ids: readonly string[],
): Promise<string[]> {
  if (ids.length === 0) return [];
  const view = { repository, index: 'none', folder: repository, objects: join(folder, 'objects') };
  const input = `${ids.join('\n')}\n`;
  const lines = (await git(view, ['cat-file', '--batch-check'], { input })).split('\n');
  return lines.filter((line) => line.endsWith(' missing')).map((line) => line.slice(0, 40));
}

/** Files in a git folder that name objects, relative to it. */
async function findFiles(folder: string): Promise<string[]> {
  const files: string[] = [];
  const todo = [''];
  for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
    for (const entry of await readdir(join(folder, at), { withFileTypes: true }).catch(() => [])) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) {
        if (/^(?:refs|logs|worktrees)(?:\/|$)/.test(path)) todo.push(path);
      } else if (
        entry.isFile() &&
        /(?:^|\/)(?:\w*HEAD|packed-refs|index)$|^refs\/|(?:^|\/)logs\//.test(path)
      )
        files.push(path);
    }
  }
  return files;
}

async function readNames(shadow: Shadow, file: string, { needed, wished }: Named): Promise<void> {
  if (file.endsWith('/index')) {
    for (const id of await readIndex(shadow, file)) needed.add(id);
    return;
  }
  const into = file.includes('/logs/') || /(?:ORIG|FETCH)_HEAD$/.test(file) ? wished : needed;
  for (const [id] of readText(file).matchAll(/\b[0-9a-f]{40}\b/g))
    if (!/^0+$/.test(id)) into.add(id);
}

/** Blobs in an index; empty if only its own repository can read it. */
async function readIndex({ git, repository }: Shadow, file: string): Promise<string[]> {
  const view = { repository, index: relative(repository, file), folder: repository };
  const entries = splitNul(await git(view, ['ls-files', '-s', '-z']).catch(() => ''));
  // A submodule's commit lives in the submodule.
  return entries.filter((entry) => !entry.startsWith('160000')).map((entry) => entry.slice(7, 47));
}

function readText(file: string): string {
  const stat = statPath(Buffer.from(file));
  return stat?.isFile() === true ? readFileSync(file, 'latin1') : '';
}
