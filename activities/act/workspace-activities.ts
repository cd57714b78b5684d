/** The activities that touch the folder. */
import { Context } from '@temporalio/activity';
import type { BlobStore } from '../../audit/record/blobs.ts';
import type { ActRequest, ActResult } from '../contract/act.ts';
import type { Call } from '../contract/refs.ts';
import type { EnsureRequest, EnsureResult, WorkspaceActivities } from '../contract/workspace.ts';
import { performAction } from './act.ts';
import { verifyApproval } from './answers.ts';
import { closeRun } from './close-run.ts';
import { ensureTree } from './drift.ts';
import { storeRedNote } from './hooks.ts';
import { inspectWork } from './inspect.ts';
import { mergeLane, openLane } from './lanes.ts';
import { createSecretLearner } from './learn-secrets.ts';
import type { SecretLearner } from './learn-secrets.ts';
import { openWorkspace } from './open-workspace.ts';
import { promote } from './promote.ts';
import { requireWorkspace } from './workspace.ts';
import type { WorkspaceDependencies } from './workspace.ts';

export function createWorkspaceActivities(
  dependencies: WorkspaceDependencies,
): WorkspaceActivities {
  const learn = createSecretLearner(dependencies);
  return {
    openWorkspace: (request) => withPulse(() => openWorkspace(dependencies, learn, request)),
    ensureWorkspace: (request) => withPulse(() => ensureWorkspace(dependencies, request)),
    openLane: (request) => withPulse(() => openLane(dependencies, request)),
    mergeLane: (request) => withPulse(() => mergeLane(dependencies, request)),
    inspectWork: (request) => withPulse(() => inspectWork(dependencies, request)),
    promote: (request) =>
      withPulse(() => promote(dependencies, request, Context.current().cancellationSignal)),
    act: (request) => withPulse(() => act(dependencies, learn, request)),
    closeRun: (request) => withPulse(() => closeRun(dependencies, request)),
  };
}

const heartbeatMs = 1_000;

/** Heartbeats for long calls, which also deliver cancellation; most calls end before the first. */
async function withPulse<T>(work: () => Promise<T>): Promise<T> {
  const context = Context.current();
  const pulse = setInterval(() => context.heartbeat(), heartbeatMs);
  try {
    return await work();
  } finally {
    clearInterval(pulse);
  }
}

async function ensureWorkspace(
  dependencies: WorkspaceDependencies,
  { run, workspace, tree, drift, approval }: EnsureRequest,
): Promise<EnsureResult> {
  const { attempt } = Context.current().info;
  const refused =
    approval === undefined
      ? undefined
      : await verifyApproval(dependencies, { run, step: '', attempt }, approval);
  const ensured = await ensureTree(dependencies.transactions, {
    run,
    tree,
    workspace: requireWorkspace(dependencies, workspace),
    drift:
      refused === undefined
        ? (drift ?? (await dependencies.policy(workspace)).policy.workspace.drift)
        : 'ask',
  });
  return refused === undefined ? ensured : { ...ensured, refused };
}

async function act(
  dependencies: WorkspaceDependencies,
  learn: SecretLearner,
  { call, ...request }: ActRequest,
): Promise<ActResult> {
  const { blobs } = dependencies;
  const { cancellationSignal: signal, info } = Context.current();
  const args = await readArguments(blobs, call);
  const root = requireWorkspace(dependencies, request.workspace);
  learn.fromFiles(root);
  if (dependencies.tools.find(call.tool)?.section === 'commands') await learn.fromHistory(root);
  const { text: _, ...result } = await performAction(dependencies, {
    ...request,
    call: call.id,
    tool: call.tool,
    args,
    signal,
    attempt: info.attempt,
  });
  const { hook } = request;
  const isRed = hook !== undefined && result.verdict !== 'ask' && !result.ok;
  return isRed ? { ...result, notes: await storeRedNote(blobs, hook, result) } : result;
}

type Arguments = Readonly<Record<string, unknown>>;

async function readArguments(blobs: BlobStore, { segment, index }: Call): Promise<Arguments> {
  const { args } = await blobs.getJson<{ readonly args: readonly Arguments[] }>(segment);
  const found = args[index];
  if (found === undefined) throw new Error(`Segment ${segment} has no call ${index}.`);
  return found;
}
