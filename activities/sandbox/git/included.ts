import { lstatSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { toText } from '../../snapshots/byte-path.ts';
import type { BytePath } from '../../snapshots/byte-path.ts';
import { toBytes } from './reach.ts';
import { resolvePath } from './resolve.ts';
import { maxSettingsBytes, parseSettings } from './settings.ts';
import { disarmedSuffix } from './shape.ts';

/** A workspace file that the person's git settings include. */
export interface Included {
  /** Relative to the workspace. */
  readonly path: string;
  /** Undefined if it does not exist yet. */
  readonly text: Buffer | undefined;
}

const maxIncluded = 50;

function readText(file: string): Buffer | undefined {
  try {
    const stat = lstatSync(file);
    return stat.isFile() && stat.size <= maxSettingsBytes ? readFileSync(file) : undefined;
  } catch {
    return undefined;
  }
}

/** What a settings file in `folder` (relative to the workspace) includes, recursively, ignoring conditions. */
export async function findIncluded(
  root: string,
  folder: BytePath,
  text: Buffer,
): Promise<Included[]> {
  const found = new Map<string, Included>();
  const workspace = toBytes(root);
  const todo = [{ at: `${workspace}/${folder}`, text }];
  for (let next = todo.pop(); next !== undefined && found.size < maxIncluded; next = todo.pop()) {
    const settings = (await parseSettings(next.text)) ?? [];
    for (const { key, value = '' } of settings) {
      if (!/^include(?:if\..*)?\.path$/is.test(key)) continue;
      const target = value.startsWith('~/') ? join(toBytes(homedir()), value.slice(2)) : value;
      const file = resolvePath(next.at, target);
      if (file?.startsWith(`${workspace}/`) !== true) continue;
      const path = toText(file.slice(workspace.length + 1));
      if (found.has(path)) continue;
      const inner = readText(join(root, path));
      found.set(path, { path, text: inner });
      if (inner !== undefined) todo.push({ at: dirname(file), text: inner });
    }
  }
  return [...found.values()];
}

/** Restores included files. Returns those that had changed. */
export function restoreIncluded(root: string, included: readonly Included[]): string[] {
  const changed: string[] = [];
  for (const { path, text } of included) {
    const file = join(root, path);
    const isThere = lstatSync(file, { throwIfNoEntry: false }) !== undefined;
    const now = readText(file);
    if (text === undefined ? !isThere : now?.equals(text) === true) continue;
    changed.push(path);
    if (isThere) renameSync(file, file + disarmedSuffix);
    // Deleted by the command: reverting the command restores it.
    if (text !== undefined && isThere) writeFileSync(file, text);
  }
  return changed;
}
