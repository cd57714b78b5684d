import { lstatSync, readFileSync, readdirSync, renameSync } from 'node:fs';
import type { Dirent } from 'node:fs';
import { join, relative } from 'node:path';
import { setImmediate as yieldToOthers } from 'node:timers/promises';

const mostFolders = 20_000;
const foldersAtOnce = 200;
/** The kernel's file times are up to one tick behind the clock. */
const tickMs = 50;
const skipped = new Set(['node_modules', '.venv']);
const suffix = '.disarmed';

/** Settings with which git starts a program, at the start of a line or behind a section's head. */
const startsProgram =
  /^[ \t]*(?:\[[^\]\n]*\][ \t]*)?(?:fsmonitor|hookspath|sshcommand|gitproxy|editor|pager|askpass|command|textconv|driver|program|helper|process|clean|smudge|external|cmd|uploadpack|receivepack|vcs)[ \t]*(?:=|$)|^[ \t]*\[[ \t]*(?:include|includeif|alias|pager|filter)\b/im;

/**
 * Renames hooks, and settings that start programs, that a command has put into git folders since `since` (ms): mounts protect
 * the folders that were there, not one made anew, and what is in it would be run later by git outside the sandbox.
 * Returns the paths as they were, relative to `root`. To be called when the command's processes are gone.
 */
export async function disarmGitFolders(
  root: string,
  since: number,
  protectedPaths: readonly string[],
): Promise<string[]> {
  const disarmed: string[] = [];
  const safe = new Set(protectedPaths.map((path) => join(root, path)));
  const todo = [root];
  for (let seen = 0; seen < mostFolders; seen += 1) {
    const folder = todo.pop();
    if (folder === undefined) break;
    if (seen % foldersAtOnce === foldersAtOnce - 1) await yieldToOthers();
    const entries = readEntries(folder);
    const names = new Set(entries.map(({ name }) => name));
    if (folder.endsWith('/.git') || (names.has('HEAD') && names.has('objects'))) {
      for (const file of findArmed(folder, since - tickMs, safe)) {
        renameSync(file, file + suffix);
        disarmed.push(relative(root, file));
      }
      // Submodules and work trees keep git folders of their own in here.
      todo.push(...['modules', 'worktrees'].map((name) => join(folder, name)));
    } else {
      for (const entry of entries)
        if (entry.isDirectory() && !skipped.has(entry.name)) todo.push(join(folder, entry.name));
    }
  }
  return disarmed.toSorted();
}

function readEntries(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

function findArmed(gitFolder: string, since: number, safe: ReadonlySet<string>): string[] {
  const isNew = (file: string): boolean =>
    !safe.has(file) && (lstatSync(file, { throwIfNoEntry: false })?.ctimeMs ?? 0) >= since;
  const hooks = join(gitFolder, 'hooks');
  const isLink = lstatSync(hooks, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  const candidates = isLink
    ? [hooks]
    : safe.has(hooks)
      ? []
      : readEntries(hooks)
          .filter(({ name }) => !name.endsWith('.sample') && !name.endsWith(suffix))
          .map(({ name }) => join(hooks, name));
  const settings = ['config', 'config.worktree']
    .map((name) => join(gitFolder, name))
    .filter((file) => isNew(file) && isArmed(file));
  return [...candidates.filter(isNew), ...settings];
}

function isArmed(file: string): boolean {
  try {
    return !lstatSync(file).isFile() || startsProgram.test(readFileSync(file, 'utf8'));
  } catch {
    return true;
  }
}
