import { lstatSync, readFileSync, readdirSync, renameSync } from 'node:fs';
import type { Dirent } from 'node:fs';
import { join, relative } from 'node:path';

/** The kernel's file times are up to one tick behind the clock. */
const tickMs = 50;
const suffix = '.disarmed';

/** Settings with which git starts a program, at the start of a line or behind a section's head. */
const startsProgram =
  /^[ \t]*(?:\[[^\]\n]*\][ \t]*)?(?:fsmonitor|hookspath|sshcommand|gitproxy|editor|pager|askpass|command|textconv|driver|program|helper|process|clean|smudge|external|cmd|uploadpack|receivepack|vcs)[ \t]*(?:=|$)|^[ \t]*\[[ \t]*(?:include|includeif|alias|pager|filter)\b/im;

/**
 * Renames hooks, and settings that start programs, that a command has put into git folders since `since` (ms): mounts protect
 * the folders that were there, not one made anew, and what is in it would be run later by git outside the sandbox.
 * `marks` names what was protected: what has its mark still cannot have changed. Returns the paths as they were; all paths
 * are relative to `root`. To be called when the command's processes are gone.
 */
export function disarmGitFolders(
  root: string,
  gitFolders: readonly string[],
  since: number,
  marks: ReadonlyMap<string, string>,
): string[] {
  const safe = new Set(
    [...marks].flatMap(([path, mark]) =>
      toMark(join(root, path)) === mark ? [join(root, path)] : [],
    ),
  );
  const disarmed: string[] = [];
  for (const folder of gitFolders)
    for (const file of findArmed(join(root, folder), since - tickMs, safe)) {
      renameSync(file, file + suffix);
      disarmed.push(relative(root, file));
    }
  return disarmed.toSorted();
}

/** Which file or folder it is, whatever it is called; empty where there is none. */
export function toMark(path: string): string {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.dev} ${stat.ino}`;
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
