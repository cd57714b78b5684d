/** Work whose every effect shows when it is repeated or lost. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { countTurns, lastResult, manySteps } from '../model-server/scripts.ts';
import type { PureScript } from '../model-server/scripts.ts';
import type { ScriptedCall, Turn } from '../model-server/turns.ts';
import { lanesStory } from '../workflows/scenarios.ts';

/**
 * `cut` is `quick` over connections that break; `stubborn` tries again while the disk is full; `lanes` is done by three steps at
 * once, and `staged` in a copy whose change is promoted, each where the policy says so; `held` waits for a person's answer to
 * what a command changed.
 */
export type Workload = 'quick' | 'slow' | 'cut' | 'stubborn' | 'lanes' | 'staged' | 'held';

const run = (command: string): ScriptedCall => ({ name: 'run_command', args: { command } });
const turns = (...calls: readonly ScriptedCall[]): Turn[] =>
  calls.map((call) => ({ call: [call] }));

const quick = manySteps({
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
      { name: 'read_file', args: { path: 'old.txt' } },
      { name: 'delete_file', args: { path: 'old.txt' } },
      run('mkdir -p made/by && mv sum made/by/sum'),
    ),
  ],
});

/** Writes once a second, and longer than a heartbeat may stay out. */
const slowCommand = Array.from({ length: 14 }, () => 'echo tick >> log && sleep 1').join(' && ');
const slow = manySteps({
  s1: turns({ name: 'write_file', args: { path: 'a.txt', content: 'one\n' } }, run(slowCommand), {
    name: 'edit_file',
    args: { path: 'a.txt', old: 'one', new: 'two' },
  }),
});

/** Does not fit beside what fills the small disk. */
const big = { name: 'write_file', args: { path: 'big.txt', content: 'b'.repeat(256 * 1024) } };
const pause = run('sleep 1');
const note = run('echo x >> log');
const stubbornPlan = manySteps({ s1: turns(big) });
const stubborn: PureScript = (request, seen) => {
  if (request.role !== 'executor' || countTurns(request) === 0) return stubbornPlan(request, seen);
  if (/no space|ENOSPC|disk is full/i.test(lastResult(request))) return { call: [pause] };
  const last = request.messages.findLast((message) => message.role === 'assistant')?.calls.at(-1);
  if (last?.name === 'write_file') return { call: [note] };
  if (last?.args.includes('sleep') === true) return { call: [big] };
  return { finish: { summary: 'Written.' } };
};

const lanes = lanesStory({
  s1: [run('echo x >> one')],
  s2: [{ name: 'write_file', args: { path: 'two', content: 'two\n' } }, run('echo y >> two')],
  s3: [run('echo z >> three')],
});

const staged = manySteps({
  s1: turns(
    { name: 'write_file', args: { path: 'a.txt', content: 'one\n' } },
    run('echo x >> kept'),
    { name: 'read_file', args: { path: 'old.txt' } },
    { name: 'delete_file', args: { path: 'old.txt' } },
  ),
});

/** A program that counts how often it ran, beside a file that a rule asks about or denies. */
const toProgram = (path: string, protectedFile: string): ScriptedCall => ({
  name: 'write_file',
  args: {
    path,
    content: `const f = require('fs');
f.appendFileSync('runs', '${path} ');
f.writeFileSync('${protectedFile}', 'x');
`,
  },
});

const held = manySteps({
  s1: turns(
    toProgram('asks.cjs', 'CLAUDE.md'),
    toProgram('denied.cjs', '.env.local'),
    run('node asks.cjs'),
    run('node denied.cjs'),
  ),
});

const scripts: Readonly<Record<Workload, PureScript>> = {
  quick,
  slow,
  stubborn,
  lanes,
  staged,
  held,
  cut: (request, seen) =>
    seen === 0 ? { ...quick(request, seen), cut: 'stream' } : quick(request, seen),
};

const toGoal = (workload: Workload): string => `Do the ${workload} work`;

/** What `agent run` is told. */
export const toWords = (workload: Workload): string[] => [
  ...(workload === 'staged' ? ['--stage'] : []),
  toGoal(workload),
];

/** One server for all of them: the goal says which. */
export const script: PureScript = (request, seen) => {
  const text = request.messages.map((message) => message.text).join('\n');
  const name = /Do the (\w+) work/.exec(text)?.[1] as Workload | undefined;
  return scripts[name ?? 'quick'](request, seen);
};

const quickMutations = [1, 2, 3, 4, 5, 6, 7, 9, 10];

/** Numbers of the actions that change something; how many `stubborn` needs depends on the disk. */
export const mutations: Readonly<Record<Workload, readonly number[] | undefined>> = {
  quick: quickMutations,
  cut: quickMutations,
  slow: [1, 2, 3],
  lanes: [1, 2, 3, 4],
  staged: [1, 2, 4],
  held: [1, 2, 3, 4],
  stubborn: undefined,
};

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
