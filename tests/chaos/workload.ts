/** Work whose every effect shows when it is repeated or lost. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { manySteps } from '../model-server/scripts.ts';
import type { ScriptedCall, Turn } from '../model-server/turns.ts';

const run = (command: string): ScriptedCall => ({ name: 'run_command', args: { command } });
const turns = (...calls: readonly ScriptedCall[]): Turn[] =>
  calls.map((call) => ({ call: [call] }));

export const script = manySteps({
  s1: turns(
    { name: 'write_file', args: { path: 'src/a.txt', content: 'one\n' } },
    run('echo x >> log'),
    run('git add -A && git commit -q -m first'),
  ),
  s2: [
    {
      call: [
        { name: 'edit_file', args: { path: 'src/a.txt', old: 'one', new: 'one two' } },
        run('cat log src/a.txt >> sum'),
        run('echo y >> log'),
      ],
    },
    ...turns(
      run('git commit -q -a -m second'),
      { name: 'delete_file', args: { path: 'old.txt' } },
      run('mkdir -p made/by && mv sum made/by/sum'),
    ),
  ],
});

/** Mutating calls among them. */
export const mutations = 9;

/** A folder to do it in: a repository with a commit and a file to delete. */
export function prepareWorkspace(folder: string): void {
  mkdirSync(folder, { recursive: true });
  git(folder, 'init', '-q', '-b', 'main');
  writeFileSync(join(folder, 'old.txt'), 'old\n');
  writeFileSync(join(folder, '.gitignore'), 'log\n');
  git(folder, 'add', '-A');
  git(folder, 'commit', '-q', '-m', 'start');
}

const git = (cwd: string, ...args: readonly string[]): string =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], {
    cwd,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' },
  });

/** All that the work leaves: files with their contents, and what was committed. */
export function describeWorkspace(folder: string): string {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(
      (entry) => !join(entry.parentPath, entry.name).includes('/.git/') && entry.name !== '.git',
    )
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const name = path.slice(folder.length + 1);
      return entry.isFile() ? `${name}: ${JSON.stringify(readFileSync(path, 'utf8'))}` : `${name}/`;
    });
  return [
    ...files.toSorted(),
    git(folder, 'log', '--format=%s', '--name-status'),
    git(folder, 'status', '--porcelain', '--ignored'),
  ].join('\n');
}
