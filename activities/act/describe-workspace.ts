/** What a run is told about its folder on opening it. */
import { findInjection } from '../../policies/untrusted/injection.ts';
import { decidePath } from '../../policies/paths/paths.ts';
import type { Policy } from '../../policies/policy.ts';
import { toUntrusted } from '../../policies/untrusted/untrusted.ts';
import type { Untrusted } from '../../policies/untrusted/untrusted.ts';
import { readInstructions } from '../files/instructions.ts';
import { listFiles } from '../files/list.ts';
import { PathRefused } from '../files/walk.ts';
import { findRiskySettings, renderRisky } from '../sandbox/git/git-settings.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { scannerOf } from '../sandbox/scan.ts';
import { guardOf } from '../sandbox/guard.ts';
import type { WorkspaceDependencies } from './workspace.ts';

const maxEntries = 300;
const maxRisky = 20;

/** Describes the folder to every role: the top of its tree, and its owner's instructions for agents. */
export function describeFolder(root: string, policy: Policy, sandbox: Sandbox): string {
  const authorize = (operation: 'read' | 'write' | 'delete' | 'list', path: string): void => {
    const { verdict, reason } = decidePath(policy, operation, path);
    if (verdict !== 'allow') throw new PathRefused('policy', reason);
  };
  const parts = [
    `Top of the folder:\n${listFiles(root, '.', { depth: 2, maxEntries, authorize })}`,
    sandbox.kind === 'unavailable' ? 'Commands cannot be run here; use the file tools.' : '',
    readInstructions(root, authorize),
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

/** Tells everyone following the run that commands are unavailable or unconfined. */
export function describeRestriction(sandbox: Sandbox): string | undefined {
  switch (sandbox.kind) {
    case 'bubblewrap':
      return undefined;
    case 'none':
      return 'AGENT_SANDBOX=none: commands run unconfined, with your rights.';
    case 'unavailable':
      return `No commands are available, only file tools: ${sandbox.reason} ${sandbox.fix}`;
  }
}

/** File names and AGENTS.md come from whoever made the folder. */
export function findUntrusted(policy: Policy, facts: string): Untrusted | undefined {
  const suspicious = findInjection(facts);
  const source = 'looking at the workspace (file names, AGENTS.md)';
  return suspicious.length > 0 ? toUntrusted(policy, source, suspicious) : undefined;
}

/** Settings of the workspace's git that start programs or lead elsewhere; logged once in the audit log. */
export async function describeGitSettings(
  { audit }: Pick<WorkspaceDependencies, 'audit'>,
  { run, root, policy }: { readonly run: string; readonly root: string; readonly policy: Policy },
): Promise<readonly string[] | undefined> {
  const { gitFolders } = await scannerOf(root, guardOf(policy)).look();
  const settings = (await findRiskySettings(root, gitFolders)).slice(0, maxRisky).map(renderRisky);
  if (settings.length === 0) return undefined;
  if (!(await audit.has({ kind: 'git-settings', run })))
    await audit.append({ kind: 'git-settings', time: new Date().toISOString(), run, settings });
  return settings;
}
