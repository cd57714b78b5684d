import { Context } from '@temporalio/activity';
import { realpathSync, statSync } from 'node:fs';
import { decidePath } from '../../policies/paths.ts';
import { limitsOf } from '../../policies/decide.ts';
import type { Observation, OpenResult, Ref, WorkspaceActivities } from '../contract.ts';
import { readEvidence } from '../evidence.ts';
import { readText } from '../workspace/files.ts';
import { listFiles } from '../workspace/list.ts';
import { PathRefused } from '../workspace/walk.ts';
import type { ActDependencies } from './act.ts';
import { performAction } from './act.ts';

const heartbeatMs = 1_000;
const factsEntries = 300;
const mostChanges = 50;

/** The activities that touch the folder. */
export function createWorkspaceActivities(dependencies: ActDependencies): WorkspaceActivities {
  const { blobs, policy, sandbox } = dependencies;
  return {
    async openWorkspace({ workspace }): Promise<OpenResult> {
      const problem = findProblem(workspace);
      if (problem !== undefined) return { ok: false, reason: problem };
      const bundle = policy();
      return {
        ok: true,
        facts: await blobs.put(describe(realpathSync(workspace), dependencies)),
        limits: limitsOf(bundle.policy),
        policy: bundle.sha256,
        sandbox: sandbox.kind,
      };
    },

    async act({ call, ...request }) {
      const context = Context.current();
      // So that a long command is alive and a cancellation is heard; most actions are over before the first beat.
      const pulse = setInterval(() => context.heartbeat(), heartbeatMs);
      try {
        const args = await readArguments(call.segment, call.index);
        const { text: _, ...result } = await performAction(dependencies, {
          ...request,
          call: call.id,
          tool: call.tool,
          args,
          signal: context.cancellationSignal,
        });
        return result;
      } finally {
        clearInterval(pulse);
      }
    },

    async closeRun({ run, status, summary, evidence }) {
      const actions = await readEvidence(blobs, evidence);
      const changes = [...new Set(actions.flatMap(({ changed }) => changed))].toSorted();
      const report = await blobs.putJson({
        ...{ v: 1, run, status, summary, changes },
        actions: actions.map(toReported),
      });
      return { report, changes: changes.slice(0, mostChanges) };
    },
  };

  async function readArguments(
    segment: Ref,
    index: number,
  ): Promise<Readonly<Record<string, unknown>>> {
    const { args } = await blobs.getJson<{ args: readonly Readonly<Record<string, unknown>>[] }>(
      segment,
    );
    const found = args[index];
    if (found === undefined) throw new Error(`Segment ${segment} has no call ${index}.`);
    return found;
  }
}

/** Texts stay in their blobs; the report names what was done. */
const toReported = ({
  seq,
  step,
  tool,
  preview,
  verdict,
  rule,
  ok,
  exitCode,
  ms,
  changed,
  time,
  whole,
}: Observation) => ({
  ...{ seq, step, tool, preview, verdict, rule, ok, exitCode, ms, changed, time, whole },
});

function findProblem(workspace: string): string | undefined {
  try {
    return statSync(workspace).isDirectory()
      ? undefined
      : `The workspace ${workspace} is not a folder.`;
  } catch {
    return `The workspace ${workspace} does not exist on this host.`;
  }
}

/** What every role is told about the folder: the top of its tree, and the instructions its owner wrote for agents. */
function describe(root: string, { policy, sandbox }: ActDependencies): string {
  const bundle = policy().policy;
  const authorize = (operation: 'read' | 'write' | 'delete' | 'list', path: string): void => {
    const { verdict, reason } = decidePath(bundle, operation, path);
    if (verdict !== 'allow') throw new PathRefused('policy', reason);
  };
  const parts = [
    `Top of the folder:\n${listFiles(root, '.', { depth: 2, maxEntries: factsEntries, authorize })}`,
    sandbox.kind === 'unavailable' ? 'Commands cannot be run here; use the file tools.' : '',
    readInstructions(root, authorize),
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

const instructionBytes = 32_768;

function readInstructions(
  root: string,
  authorize: Parameters<typeof readText>[2]['authorize'],
): string {
  try {
    const text = readText(root, 'AGENTS.md', { maxBytes: instructionBytes, authorize });
    return `Instructions of the folder's owner (AGENTS.md):\n${text}`;
  } catch (error) {
    if (error instanceof PathRefused) return '';
    throw error;
  }
}
