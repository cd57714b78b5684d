/** Starts a run in its folder: creates the copy if it needs one, takes the lease, and describes the folder. */
import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { limitsOf } from '../../policies/decide.ts';
import type { Hook } from '../../policies/policy.ts';
import type { HooksInForce } from '../contract/hooks.ts';
import type { SnapshotId } from '../contract/refs.ts';
import type { OpenRequest, OpenResult } from '../contract/workspace.ts';
import { WorkspaceBusy } from '../files/lease.ts';
import { readHead } from '../files/tracked.ts';
import { findGitProblem } from '../snapshots/git.ts';
import {
  describeFolder,
  describeGitSettings,
  describeRestriction,
  findUntrusted,
} from './describe-workspace.ts';
import { ensureTree } from './drift.ts';
import type { Registry } from '../../tools/registry.ts';
import { storeHooks } from './hooks.ts';
import type { SecretLearner } from './learn-secrets.ts';
import { openStage } from './stage.ts';
import { findForbidden, findProblem } from './workspace.ts';
import type { WorkspaceDependencies } from './workspace.ts';

const maxUncovered = 20;

type Opened = Extract<OpenResult, { ok: true }>;
type NotOpened = Extract<OpenResult, { ok: false }>;

export async function openWorkspace(
  dependencies: WorkspaceDependencies,
  learn: SecretLearner,
  request: OpenRequest,
): Promise<OpenResult> {
  const { run, workspace, lease, from } = request;
  const refused = await prepareFolder(dependencies, request);
  if (refused !== undefined) return refused;
  const problem = findProblem(workspace) ?? (lease ? await findGitProblem() : undefined);
  if (problem !== undefined) return { ok: false, reason: problem };
  const root = realpathSync(workspace);
  learn.fromFiles(root);
  // The first command waits for this; opening does not.
  void learn.fromHistory(root);
  const bundle = await dependencies.policy(root);
  if (bundle.problem !== undefined) return { ok: false, reason: bundle.problem };
  const found = lease ? await takeWorkspace(dependencies, root, run, from?.tree) : {};
  if ('reason' in found) return found;
  const { blobs, sandbox, tools } = dependencies;
  const { policy } = bundle;
  const facts = describeFolder(root, policy, sandbox);
  const hooks = await readRunHooks(dependencies, { run, root, operator: policy.hooks });
  if ('reason' in hooks) return hooks;
  const { parallelSteps } = policy.workspace;
  return {
    ok: true,
    facts: await blobs.put(facts),
    untrusted: findUntrusted(policy, facts),
    gitSettings: await describeGitSettings(dependencies, { run, root, policy }),
    head: lease ? ((await readHead(root)) ?? '') : undefined,
    limits: limitsOf(policy),
    prices: lease && Object.keys(policy.prices).length > 0 ? policy.prices : undefined,
    policy: bundle.sha256,
    sandbox: sandbox.kind,
    without: sandbox.kind === 'unavailable' ? toSandboxed(tools) : undefined,
    restricted: describeRestriction(sandbox),
    ...found,
    ...hooks,
    parallelSteps: lease && parallelSteps > 1 ? parallelSteps : undefined,
  };
}

/** Names of the tools that need a sandbox. */
const toSandboxed = ({ tools }: Registry): string[] =>
  tools.filter(({ section }) => section === 'commands').map(({ name }) => name);

/** Creates the run's working copy, if it has one. Says why if that is not allowed, whatever the operator was told. */
async function prepareFolder(
  dependencies: WorkspaceDependencies,
  { run, workspace, lease, from, stagedFrom }: OpenRequest,
): Promise<NotOpened | undefined> {
  for (const folder of [workspace, from?.workspace, stagedFrom]) {
    const reason = findForbidden(dependencies, folder);
    if (reason !== undefined) return { ok: false, reason };
  }
  if (stagedFrom !== undefined && from === undefined)
    return await openStage(dependencies, { run, workspace, stagedFrom });
  if (from === undefined || from.workspace === workspace) return undefined;
  // Never write into another run's folder.
  const busy = lease ? await claim(dependencies, toFuture(workspace), run) : undefined;
  if (busy !== undefined) return busy;
  await dependencies.transactions.copy(from.workspace, workspace);
  return undefined;
}

/** The path, free of links, of a folder about to be created. */
function toFuture(workspace: string): string {
  if (existsSync(workspace)) return realpathSync(workspace);
  mkdirSync(dirname(workspace), { recursive: true });
  return join(realpathSync(dirname(workspace)), basename(workspace));
}

async function claim(
  { transactions: { leases }, isRunOpen }: WorkspaceDependencies,
  root: string,
  run: string,
): Promise<NotOpened | undefined> {
  try {
    await leases.claim(root, run, isRunOpen);
    return undefined;
  } catch (error) {
    if (!(error instanceof WorkspaceBusy)) throw error;
    const advice = 'Wait until it ends (agent run --wait), end it, or choose another folder (-C).';
    return { ok: false, reason: `${error.message} ${advice}`, busy: error.run };
  }
}

async function takeWorkspace(
  dependencies: WorkspaceDependencies,
  root: string,
  run: string,
  wanted: SnapshotId | undefined,
): Promise<NotOpened | Pick<Opened, 'tree' | 'uncovered'>> {
  const { transactions } = dependencies;
  const busy = await claim(dependencies, root, run);
  if (busy !== undefined) return busy;
  if (wanted !== undefined)
    await ensureTree(transactions, { workspace: root, run, tree: wanted, drift: 'restore' });
  const { tree, uncovered } = await transactions.exclusive(
    root,
    run,
    async ({ snapshots, know }) => {
      const captured = await snapshots.capture();
      know(captured.tree);
      return captured;
    },
  );
  const left = uncovered.slice(0, maxUncovered);
  return { tree, uncovered: left.length === 0 ? undefined : left };
}

/** The hooks the run must pass, fixed from now on. */
async function readRunHooks(
  { hooks: readHooks, blobs, tools, audit }: WorkspaceDependencies,
  {
    run,
    root,
    operator,
  }: { readonly run: string; readonly root: string; readonly operator: readonly Hook[] },
): Promise<NotOpened | { readonly hooks?: HooksInForce }> {
  const read = readHooks(root);
  if ('problem' in read) return { ok: false, reason: read.problem };
  const hooks = await storeHooks({ blobs, tools }, [...operator, ...read.hooks]);
  if (hooks === undefined) return {};
  await audit.append({
    kind: 'hooks',
    time: new Date().toISOString(),
    run,
    step: '',
    sha256: hooks.sha256,
    names: hooks.hooks.map(({ name }) => name),
  });
  return { hooks };
}
