/** Workspaces of many files: git repositories with everything committed. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const filesPerFolder = 50;

/** Path of a file of a forest. */
export const pathOf = (index: number): string => {
  const folder = Math.floor(index / filesPerFolder);
  return `src/part-${Math.floor(folder / 20)}/module-${folder % 20}/file-${index % filesPerFolder}.ts`;
};

export const git = (cwd: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): string =>
  execFileSync('git', ['-c', 'user.name=b', '-c', 'user.email=b@b', ...args], {
    cwd,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: {
      PATH: process.env['PATH'],
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_CONFIG_NOSYSTEM: '1',
      ...env,
    },
  });

export function plantForest(folder: string, files: number): void {
  mkdirSync(folder, { recursive: true });
  for (let index = 0; index < files; index++) {
    const path = join(folder, pathOf(index));
    if (index % filesPerFolder === 0) mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, `export const value${index} = ${index};\n`.repeat(1 + (index % 7)));
  }
  git(folder, ['init', '-q', '-b', 'main']);
  git(folder, ['add', '-A']);
  git(folder, ['commit', '-q', '-m', 'all']);
  // Entries as young as the index itself are compared by content until it is written again.
  git(folder, ['update-index', '--refresh']);
  git(folder, ['status']);
}
