import { dirname } from 'node:path';
import type { SandboxView } from './bubblewrap.ts';
import type { GitCover } from './git/guard.ts';
import type { RiskySettings } from './git/git-settings.ts';
import { writeSafeSettings } from './git/git-settings.ts';
import type { Sandbox } from './sandbox.ts';
import type { Scan } from './scan.ts';

/** What of the workspace a sandbox covers. */
export type Cover = Required<
  Pick<SandboxView, 'protectedPaths' | 'hiddenPaths' | 'pinnedFolders' | 'replacedFiles' | 'mounts'>
>;

const settingsToReplace = (risky: readonly RiskySettings[], sandbox: Sandbox) =>
  sandbox.kind === 'bubblewrap'
    ? writeSafeSettings(
        sandbox.files.gitSettings,
        risky.filter(({ isLink }) => !isLink),
      )
    : new Map<string, string>();

/** A git folder whose settings lead elsewhere is not there for commands: nothing can be mounted over a link. */
const findAstray = (risky: readonly RiskySettings[]): string[] =>
  risky.filter(({ isLink }) => isLink).map(({ file }) => dirname(file));

/** For what only reads: settings with which git would start programs are not there for commands. */
export const toReadingCover = (
  { hidden, guarded }: Scan,
  risky: readonly RiskySettings[],
  sandbox: Sandbox,
): Cover => ({
  hiddenPaths: [...hidden, ...findAstray(risky)],
  replacedFiles: settingsToReplace(risky, sandbox),
  protectedPaths: guarded,
  pinnedFolders: [],
  mounts: [],
});

/** For what may write: copies of git folders stand in for them. `together`: several processes are at work at once. */
export const toWritingCover = (
  { hidden, guarded }: Scan,
  risky: readonly RiskySettings[],
  git: GitCover,
  together: boolean,
): Cover => ({
  hiddenPaths: [...hidden, ...git.hidden, ...findAstray(risky)],
  replacedFiles: new Map(),
  protectedPaths: [...guarded, ...git.readOnly],
  // One could move a repository while another is about to get its copy of it.
  pinnedFolders: together ? git.pinned : [],
  mounts: git.mounts,
});
