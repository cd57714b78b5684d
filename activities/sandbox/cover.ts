import { dirname } from 'node:path';
import type { SandboxView } from './bubblewrap.ts';
import type { GitCover } from './git/guard.ts';
import type { RiskySettings } from './git/git-settings.ts';
import { writeSafeSettings } from './git/git-settings.ts';
import type { Sandbox } from './sandbox.ts';
import type { Scan } from './scan.ts';

/** Which parts of the workspace a sandbox covers. */
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

/** Hides git folders whose settings lead elsewhere: nothing can be mounted over a link. */
const findAstray = (risky: readonly RiskySettings[]): string[] =>
  risky.filter(({ isLink }) => isLink).map(({ file }) => dirname(file));

/** For readers: hides settings with which git would start programs. */
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

/** For writers: replaces git folders by copies. `together`: several processes run at once. */
export const toWritingCover = (
  { hidden, guarded }: Scan,
  risky: readonly RiskySettings[],
  git: GitCover,
  together: boolean,
): Cover => ({
  hiddenPaths: [...hidden, ...git.hidden, ...findAstray(risky)],
  replacedFiles: new Map(),
  protectedPaths: [...guarded, ...git.readOnly],
  // One could move a repository while another is about to get its copy.
  pinnedFolders: together ? git.pinned : [],
  mounts: git.mounts,
});
