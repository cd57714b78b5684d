import { execFileSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { probeSandbox } from '../../activities/sandbox/sandbox.ts';
import type { Sandbox } from '../../activities/sandbox/sandbox.ts';
import { runCommandLine } from '../../activities/sandbox/shell.ts';
import type { CommandOptions } from '../../activities/sandbox/pipelines.ts';
import type { CommandOutcome } from '../../activities/sandbox/shell.ts';
import type { Guard } from '../../activities/sandbox/guard.ts';
import type { CommandLine } from '../../policies/commands/command.ts';
import { parseCommand } from '../../policies/commands/shell.ts';

export interface Place {
  /** The workspace; beside it `out`, which nothing may reach, and `state`. */
  readonly root: string;
  readonly out: string;
  readonly state: string;
}

/** A workspace in a temp folder of its own, removed after the test. */
export function makePlace(test: TestContext): Place {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'dev-agent-workspace-')));
  test.after(() => rmSync(base, { recursive: true, force: true }));
  const place = { root: join(base, 'ws'), out: join(base, 'out'), state: join(base, 'state') };
  execFileSync('mkdir', ['-m', '700', place.root, place.out, place.state]);
  return place;
}

/** Nothing is denied. */
const openGuard: Guard = { isHidden: () => false, isProtected: () => false };

const among = (paths: readonly string[]) => (folder: readonly string[], name: string) =>
  paths.includes([...folder, name].join('/'));

/** Denies paths and what is below them. */
export const guardPaths = (guarded: readonly string[], hidden: readonly string[] = []): Guard => ({
  isProtected: among(guarded),
  isHidden: among(hidden),
});

export const anything = (): void => undefined;

/** The machine's sandbox; where there is none, tests check that commands are refused. */
export const findSandbox = ({ state }: Place): Promise<Sandbox> =>
  probeSandbox('auto', join(state, 'sandbox'));

export interface Shell {
  readonly sandbox: Sandbox;
  (
    line: string | CommandLine,
    options?: Partial<CommandOptions>,
  ): Promise<CommandOutcome & { text: string }>;
}

/** Runs command lines in a place; `text` is head and tail together. */
export async function makeShell(place: Place, choice?: Sandbox): Promise<Shell> {
  const sandbox = choice ?? (await findSandbox(place));
  const run = async (line: string | CommandLine, options: Partial<CommandOptions> = {}) => {
    const outcome = await runCommandLine(typeof line === 'string' ? parseCommand(line) : line, {
      root: place.root,
      sandbox,
      timeoutMs: 60_000,
      maxOutputBytes: 1_000_000,
      signal: new AbortController().signal,
      spillDir: join(place.state, 'spill'),
      authorize: anything,
      guard: openGuard,
      ...options,
    });
    return { ...outcome, text: outcome.head + outcome.tail };
  };
  return Object.assign(run, { sandbox });
}

/** Text for `bash` in the sandbox. */
export const script = (text: string, cwd = '.'): CommandLine => ({
  kind: 'shell',
  text,
  why: '',
  cwd,
});

export const argv = (...words: string[]): CommandLine => ({
  kind: 'plain',
  pipelines: [{ when: 'first', cwd: '.', commands: [{ argv: words, redirects: [] }] }],
});
