/** The commit of `agent promote --commit`: made by the folder's own git, in the sandbox like a run's command. */
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import type { Variable } from '../../policies/commands/command.ts';
import type { PromoteRequest } from '../contract/promotion.ts';
import { SandboxUnavailable, runCommandLine } from '../sandbox/shell.ts';
import { execute } from '../sandbox/execute.ts';
import { markName } from '../snapshots/git.ts';
import type { ActDependencies } from './call.ts';
import { guardOf } from '../sandbox/guard.ts';
import type { HeldLease } from '../files/lease.ts';

/** A commit of just this change is impossible. The message says why, and what to do. */
export class CommitRefused extends Error {
  override readonly name = 'CommitRefused';
}

export interface Committer {
  /** Call before changing anything. @throws CommitRefused if the commit would include someone else's work. */
  check(changed: readonly string[]): Promise<void>;
  /** Commits those of the paths that differ; returns the commit's id, or undefined if none does. */
  commit(changed: readonly string[]): Promise<string | undefined>;
}

const timeoutMs = 120_000;
const maxOutputBytes = 16 * 1024 * 1024;
const maxNamed = 20;

/** Stops the folder's settings from starting programs. */
const quiet = [
  '-c',
  'core.hooksPath=/dev/null',
  '-c',
  'core.fsmonitor=false',
  '-c',
  'core.editor=false',
  '-c',
  'commit.gpgSign=false',
  '-c',
  'core.quotePath=false',
  '-c',
  'gc.auto=0',
];

export function createCommitter(
  dependencies: ActDependencies,
  request: PromoteRequest,
  lease: HeldLease,
  signal: AbortSignal,
): Committer {
  const { target, run, goal } = request;
  const git = async (
    args: readonly string[],
    input = '',
    variables: readonly Variable[] = [],
  ): Promise<string> => {
    const { policy } = await dependencies.policy(target);
    const argv = ['git', ...quiet, ...args];
    const command = { argv, variables, redirects: [{ kind: 'text' as const, text: input }] };
    const { exitCode, head, tail, bytes } = await runCommandLine(
      { kind: 'plain', pipelines: [{ when: 'first', cwd: '.', commands: [command] }] },
      {
        root: target,
        sandbox: dependencies.sandbox,
        signal,
        timeoutMs,
        maxOutputBytes: maxOutputBytes,
        spillDir: dependencies.spillDir,
        limits: policy.sandbox,
        guard: guardOf(policy),
        authorize: () => undefined,
        marks: { [markName]: lease.mark },
        beforeStart: () => lease.check(),
      },
    ).catch((error: unknown) => {
      if (!(error instanceof SandboxUnavailable)) throw error;
      throw new CommitRefused(
        `Commits are made in the sandbox, which is unavailable: ${error.message}`,
      );
    });
    const output = `${head}${tail}`;
    if (exitCode === 0 && Buffer.byteLength(output) === bytes) return output;
    throw new CommitRefused(
      `git ${args[0] ?? ''} failed (${exitCode}): ${output.trim().slice(0, 400)}`,
    );
  };
  /** Paths that differ from the last commit according to git, without ignored ones. */
  const findUncommitted = async (): Promise<Set<string>> => {
    const status = await git(['status', '--porcelain', '-z', '--no-renames', '-uall']);
    return new Set(status.split('\0').map((entry) => entry.slice(3)));
  };
  return {
    async check(changed) {
      requireRepository(target);
      const uncommitted = await findUncommitted();
      const mixed = changed.filter((path) => uncommitted.has(path));
      if (mixed.length === 0) return;
      throw new CommitRefused(
        `These files have uncommitted changes: ${mixed.slice(0, maxNamed).join(', ')}. Commit or stash them first, or leave out --commit.`,
      );
    },
    async commit(changed) {
      const uncommitted = await findUncommitted();
      const paths = changed.filter((path) => uncommitted.has(path));
      if (paths.length === 0) return undefined;
      const input = paths.join('\0');
      const fromInput = ['--pathspec-from-file=-', '--pathspec-file-nul'];
      const literal = [{ name: 'GIT_LITERAL_PATHSPECS', value: '1' }];
      await git(['add', '--all', ...fromInput], input, literal);
      const message = toMessage(goal, run);
      await git(
        ['commit', '--quiet', '--no-verify', '--only', '-m', message, ...fromInput],
        input,
        [...literal, ...(await readIdentity(target))],
      );
      return (await git(['rev-parse', 'HEAD'])).trim();
    },
  };
}

function requireRepository(target: string): void {
  if (lstatSync(join(target, '.git'), { throwIfNoEntry: false })?.isDirectory() === true) return;
  throw new CommitRefused(
    `${target} is not a git repository, so nothing can be committed there. Leave out --commit.`,
  );
}

const maxSubjectLength = 72;

/** The goal as message, its first line as subject, the run as trailer. */
function toMessage(goal: string, run: string): string {
  const [first = '', ...rest] = goal.trim().split('\n');
  const short = first.length <= maxSubjectLength;
  const subject = short ? first : `${first.slice(0, maxSubjectLength - 1)}…`;
  const body = (short ? rest.join('\n') : goal).trim();
  return [subject, body, `Dev-Agent-Run: ${run}`].filter((part) => part !== '').join('\n\n');
}

/** The operator's git identity in that folder. Reading settings starts nothing. */
async function readIdentity(target: string): Promise<Variable[]> {
  const read = async (key: string, otherwise: string): Promise<string> => {
    try {
      const { stdout } = await execute('git', ['config', '--get', key], { cwd: target });
      return stdout.trim() || otherwise;
    } catch {
      return otherwise;
    }
  };
  const name = await read('user.name', 'dev-agent');
  const email = await read('user.email', 'dev-agent@localhost');
  return ['AUTHOR', 'COMMITTER'].flatMap((who) => [
    { name: `GIT_${who}_NAME`, value: name },
    { name: `GIT_${who}_EMAIL`, value: email },
  ]);
}
