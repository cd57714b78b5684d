import { dirname, join } from 'node:path';
import type { SandboxView } from './bubblewrap.ts';
import type { RiskySettings } from './git-settings.ts';
import { writeSafeSettings } from './git-settings.ts';
import type { Sandbox } from './sandbox.ts';
import type { Guard, Survey } from './survey.ts';

/** What of the workspace a sandbox covers. */
export type Cover = Required<
  Pick<SandboxView, 'protectedPaths' | 'hiddenPaths' | 'pinnedFolders' | 'replacedFiles'>
>;

/**
 * Of git's own folders what decides which programs git starts, of the rest what may not be written or read. Settings with which
 * git would start programs are not there for commands, nor is a git folder that leads elsewhere for them.
 */
export function toCover(
  { hidden, guarded, gitFolders }: Survey,
  risky: readonly RiskySettings[],
  { guard, sandbox }: { readonly guard: Guard; readonly sandbox: Sandbox },
): Cover {
  const ofGit = gitFolders.flatMap((folder) =>
    ['config', 'config.worktree', 'hooks']
      .filter((name) => guard.isProtected(folder.split('/'), name))
      .map((name) => join(folder, name)),
  );
  const astray = risky.filter(({ isLink }) => isLink).map(({ file }) => dirname(file));
  return {
    hiddenPaths: [...hidden, ...astray],
    replacedFiles:
      sandbox.kind === 'bubblewrap'
        ? writeSafeSettings(
            sandbox.files.gitSettings,
            risky.filter(({ isLink }) => !isLink),
          )
        : new Map<string, string>(),
    protectedPaths: [...guarded, ...ofGit],
    pinnedFolders: gitFolders.filter((folder) =>
      ofGit.some((path) => path.startsWith(`${folder}/`)),
    ),
  };
}
