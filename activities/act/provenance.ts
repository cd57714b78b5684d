/** Where a result's text comes from: the project as committed when the run began, or outside. */
import { existsSync } from 'node:fs';
import { join, normalize } from 'node:path';
import type { Action } from '../../policies/action.ts';
import { hasNetwork } from '../../policies/network/network.ts';
import type { Policy } from '../../policies/policy.ts';
import { toCommandLine } from '../../policies/commands/shell.ts';
import type { Outside } from '../../policies/untrusted/untrusted.ts';
import { listTracked } from '../files/tracked.ts';
import type { Tool } from '../../tools/tool.ts';
import type { Outcome } from './outcome.ts';

export interface Read {
  readonly run: string;
  /** Commit checked out when the run began, empty if none; undefined if nobody looked. */
  readonly head: string | undefined;
  readonly action: Action;
  readonly tool: Tool | undefined;
  readonly policy: Policy;
  readonly outcome: Pick<Outcome, 'text' | 'changed'>;
}

/** Files written by runs, as far as this process knows: rereading them brings nothing new. */
const written = new Map<string, Set<string>>();
const maxRuns = 64;

/** Limit on words of a command that are checked for file names. */
const maxWords = 200;

/**
 * Whether a result brought outside text: from the network, or from files not in the commit the run began with. What a
 * command's output shows is unknown; it counts as the files it names.
 */
export async function findOutside(read: Read): Promise<Outside | undefined> {
  const { run, action, tool, policy, outcome } = read;
  if (outcome.changed.length > 0) noteWritten(run, outcome.changed);
  if (usesNetwork(policy, action)) return 'network';
  if (tool?.origin === 'mcp') return 'mcp';
  const paths = toPaths(action, tool, outcome.text);
  return read.head !== undefined && (await hasOutside(read, paths)) ? 'file' : undefined;
}

function noteWritten(run: string, paths: readonly string[]): void {
  const own = written.get(run) ?? new Set();
  for (const path of paths) own.add(path);
  written.delete(run);
  written.set(run, own);
  for (const oldest of written.keys()) {
    if (written.size <= maxRuns) break;
    written.delete(oldest);
  }
}

function usesNetwork(policy: Policy, { access, workspace }: Action): boolean {
  if (access.section !== 'commands') return false;
  const line = toCommandLine(access, workspace);
  return (
    line.kind === 'plain' &&
    line.pipelines.some(({ commands }) => commands.some(({ argv }) => hasNetwork(policy, argv)))
  );
}

/** Workspace-relative paths of files whose text a result shows. */
function toPaths({ access, workspace }: Action, tool: Tool | undefined, text: string): string[] {
  if (access.section === 'commands') return toNamed(toCommandLine(access, workspace), workspace);
  if (tool?.toQuoted !== undefined) return [...new Set(tool.toQuoted(text))].map(normalize);
  return access.section === 'paths' && access.op === 'read' ? [normalize(access.path)] : [];
}

/**
 * Words naming something in the workspace. Scripts are not parsed here: everything between spaces and quotes is a word.
 */
function toNamed(line: ReturnType<typeof toCommandLine>, workspace: string): string[] {
  const words =
    line.kind === 'shell'
      ? line.text.split(/[\s"'`;|&<>()=]+/).map((word) => join(line.cwd, word))
      : line.pipelines.flatMap(({ cwd, commands }) =>
          commands
            .flatMap(({ argv, redirects }) => [
              ...argv.slice(1),
              ...redirects.flatMap((each) => (each.kind === 'input' ? [each.path] : [])),
            ])
            .map((word) => (word.startsWith('/') ? word : join(cwd, word))),
        );
  return words
    .slice(0, maxWords)
    .map((word) => (word.startsWith(`${workspace}/`) ? word.slice(workspace.length + 1) : word))
    .map((word) => normalize(word).replace(/\/$/, ''))
    .filter((word) => word !== '.' && !word.startsWith('/') && existsSync(join(workspace, word)));
}

async function hasOutside(
  { run, head = '', action: { workspace } }: Read,
  paths: readonly string[],
): Promise<boolean> {
  const own = written.get(run);
  const unknown = paths.filter((path) => own?.has(path) !== true);
  if (unknown.length === 0) return false;
  if (head === '') return true;
  const tracked = await listTracked(workspace, head);
  return unknown.some((path) => !tracked.has(path));
}
