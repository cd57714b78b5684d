import { ApplicationFailure, Context } from '@temporalio/activity';
import { existsSync, mkdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { limitsOf } from '../../policies/decide.ts';
import { findInjection } from '../../policies/untrusted/injection.ts';
import type { Hook } from '../../policies/policy.ts';
import { decidePath } from '../../policies/paths/paths.ts';
import type { Policy } from '../../policies/policy.ts';
import { toUntrusted } from '../../policies/untrusted/untrusted.ts';
import type { Observation } from '../contract/act.ts';
import type { Ref, SnapshotId } from '../contract/refs.ts';
import type { CloseRequest, OpenResult, WorkspaceActivities } from '../contract/workspace.ts';
import { readEvidence } from '../evidence.ts';
import { createDotenvReader } from '../files/dotenv.ts';
import { createHistoryReader } from '../files/history-secrets.ts';
import { readInstructions } from '../files/instructions.ts';
import { listFiles } from '../files/list.ts';
import { WorkspaceBusy } from '../files/lease.ts';
import { findRiskySettings, renderRisky } from '../sandbox/git/git-settings.ts';
import { readHead } from '../files/tracked.ts';
import { surveyorOf } from '../sandbox/survey.ts';
import { guardOf } from './guard.ts';
import { findGitProblem } from '../snapshots/git.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { PathRefused } from '../files/walk.ts';
import type { ActDependencies } from './call.ts';
import { performAction } from './act.ts';
import { verifyApproval } from './answers.ts';
import { ensureTree } from './drift.ts';
import { inspectWork } from './inspect.ts';
import { mergeLane, openLane, removeLanes } from './lanes.ts';
import { storeHooks, storeRedNote } from './hooks.ts';
import { promote } from './promote.ts';
import { openStage } from './stage.ts';

const heartbeatMs = 1_000;
const maxTries = 3;
const factsEntries = 300;
const maxChanges = 50;
const maxUncovered = 20;
const maxRisky = 20;

type Opened = Extract<OpenResult, { ok: true }>;

/** So that a long call is alive and a cancellation is heard; most are over before the first beat. */
async function withPulse<T>(work: () => Promise<T>): Promise<T> {
  const context = Context.current();
  const pulse = setInterval(() => context.heartbeat(), heartbeatMs);
  try {
    return await work();
  } finally {
    clearInterval(pulse);
  }
}

export interface WorkspaceDependencies extends ActDependencies {
  /** Whether a run still goes on, so that what a terminated one held is free. */
  readonly isRunOpen: (run: string) => Promise<boolean>;
  /** The hooks a workspace asks for itself, or what is wrong with them. */
  readonly hooks: (
    workspace: string,
  ) => { readonly hooks: readonly Hook[] } | { readonly problem: string };
  /** Copies of workspaces, for steps that run beside each other. */
  readonly copiesDir: string;
  /** Copies that staged runs work in. */
  readonly stagedDir: string;
  /** Why no run may have a folder, as the end of a sentence; undefined when it may. */
  readonly offLimits: (folder: string) => string | undefined;
}

/** The activities that touch the folder. */
export function createWorkspaceActivities(
  dependencies: WorkspaceDependencies,
): WorkspaceActivities {
  const { audit, blobs, policy, sandbox, transactions } = dependencies;
  const { leases } = transactions;
  const lanes = { blobs, transactions, policy, copiesDir: dependencies.copiesDir };
  const readDotenv = createDotenvReader();
  const readHistory = createHistoryReader(join(dependencies.spillDir, 'history.git'));
  /** No tool may read these files, but a command may print what a program, or git, has read from them. */
  const learnSecrets = (root: string): void => dependencies.redactor?.add(readDotenv(root));
  const learnHistory = async (root: string): Promise<void> =>
    dependencies.redactor?.add(await readHistory(root));
  return {
    openWorkspace: ({ run, workspace, lease, from, stagedFrom }) =>
      withPulse(async (): Promise<OpenResult> => {
        const forbidden = [workspace, from?.workspace, stagedFrom].flatMap(findForbidden).at(0);
        if (forbidden !== undefined) return { ok: false, reason: forbidden };
        if (stagedFrom !== undefined && from === undefined) {
          const problem = await openStage(dependencies, { run, workspace, stagedFrom });
          if (problem !== undefined) return problem;
        }
        if (from !== undefined && from.workspace !== workspace) {
          // Nothing is put into a folder that another run has.
          const busy = lease ? await claim(toFuture(workspace), run) : undefined;
          if (busy !== undefined) return busy;
          await transactions.copy(from.workspace, workspace);
        }
        const problem = findProblem(workspace) ?? (lease ? await findGitProblem() : undefined);
        if (problem !== undefined) return { ok: false, reason: problem };
        const root = realpathSync(workspace);
        learnSecrets(root);
        // The first command waits for it, the opening does not.
        void learnHistory(root);
        const bundle = await policy(root);
        if (bundle.problem !== undefined) return { ok: false, reason: bundle.problem };
        const found = lease ? await takeWorkspace(root, run, from?.tree) : {};
        if ('reason' in found) return found;
        const facts = describe(root, bundle.policy, sandbox);
        const hooks = await readRunHooks({ run, root, operator: bundle.policy.hooks });
        if ('reason' in hooks) return hooks;
        return {
          ok: true,
          facts: await blobs.put(facts),
          ...describeTrust(bundle.policy, facts),
          ...(await describeGit(root, run, bundle.policy)),
          head: lease ? ((await readHead(root)) ?? '') : undefined,
          limits: limitsOf(bundle.policy),
          prices:
            lease && Object.keys(bundle.policy.prices).length > 0
              ? bundle.policy.prices
              : undefined,
          policy: bundle.sha256,
          sandbox: sandbox.kind,
          ...describeRestriction(sandbox),
          ...found,
          ...hooks,
          parallelSteps:
            lease && bundle.policy.workspace.parallelSteps > 1
              ? bundle.policy.workspace.parallelSteps
              : undefined,
        };
      }),

    ensureWorkspace: ({ run, workspace, tree, drift, approval }) =>
      withPulse(async () => {
        const { attempt } = Context.current().info;
        const refused =
          approval === undefined
            ? undefined
            : await verifyApproval(dependencies, { run, step: '', attempt }, approval);
        const ensured = await ensureTree(transactions, {
          run,
          tree,
          workspace: toAllowed(workspace),
          drift:
            refused === undefined
              ? (drift ?? (await policy(workspace)).policy.workspace.drift)
              : 'ask',
        });
        return refused === undefined ? ensured : { ...ensured, refused };
      }),

    openLane: (request) => withPulse(() => openLane(lanes, request)),
    mergeLane: (request) => withPulse(() => mergeLane(lanes, request)),

    inspectWork: (request) => withPulse(() => inspectWork(dependencies, request)),

    promote: (request) =>
      withPulse(() => promote(dependencies, request, Context.current().cancellationSignal)),

    act: ({ call, ...request }) =>
      withPulse(async () => {
        const { cancellationSignal: signal, info } = Context.current();
        const args = await readArguments(call.segment, call.index);
        const root = toAllowed(request.workspace);
        learnSecrets(root);
        if (call.tool === 'run_command') await learnHistory(root);
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
      }),

    closeRun: ({ run, workspace, status, summary, limit, evidence, trees }) =>
      withPulse(async () => {
        // The run has ended; what cannot be read any more is left out of its report and never keeps it open.
        const actions = await orElse([], () => readEvidence(blobs, evidence));
        const told = [...new Set(actions.flatMap(({ changed }) => changed))].toSorted();
        const nothing = { changes: told, ignored: [], left: [] };
        const { changes, ignored, left } = await orElse(nothing, () =>
          findChanges(actions, { run, workspace }, trees),
        );
        const report = await blobs.putJson({
          v: 1,
          run,
          status,
          summary,
          changes,
          ignored,
          left,
          trees,
          actions: actions.map(toReported),
        });
        await orElse(undefined, () => removeLanes(lanes, run));
        await logEnd({ run, status, summary, limit });
        await leases.release(run);
        return {
          report,
          changes: changes.slice(0, maxChanges),
          ignored: ignored.length === 0 ? undefined : ignored.length,
          left: left.length === 0 ? undefined : left.slice(0, maxUncovered),
        };
      }),
  };

  /** Whatever the run was announced with: the operator may have been misled, too. */
  function findForbidden(folder: string | undefined): string[] {
    const why = folder === undefined ? undefined : dependencies.offLimits(folder);
    return why === undefined ? [] : [`No run may work in ${folder}: ${why}.`];
  }

  /** @throws ApplicationFailure `WorkspaceGone` or `OffLimits`, not retried. */
  function toAllowed(workspace: string): string {
    const root = toPresent(workspace);
    for (const why of findForbidden(root)) throw ApplicationFailure.nonRetryable(why, 'OffLimits');
    return root;
  }

  async function logEnd({
    run,
    status,
    summary,
    limit,
  }: Pick<CloseRequest, 'run' | 'status' | 'summary' | 'limit'>): Promise<void> {
    const isAgain = Context.current().info.attempt > 1;
    if (isAgain && (await audit.has({ kind: 'end', run }))) return;
    await audit.append({
      kind: 'end',
      time: new Date().toISOString(),
      run,
      status,
      why: summary.split('\n', 1)[0]?.slice(0, 300) ?? '',
      limit,
    });
  }

  async function describeGit(
    root: string,
    run: string,
    rules: Policy,
  ): Promise<Pick<Opened, 'gitSettings'>> {
    const { gitFolders } = await surveyorOf(root, guardOf(rules)).look();
    const settings = (await findRiskySettings(root, gitFolders))
      .slice(0, maxRisky)
      .map(renderRisky);
    if (settings.length === 0) return {};
    if (!(await audit.has({ kind: 'git-settings', run })))
      await audit.append({ kind: 'git-settings', time: new Date().toISOString(), run, settings });
    return { gitSettings: settings };
  }

  /** The hooks the run is to leave green, kept as they are now. */
  async function readRunHooks({
    run,
    root,
    operator,
  }: {
    readonly run: string;
    readonly root: string;
    readonly operator: readonly Hook[];
  }): Promise<Extract<OpenResult, { ok: false }> | Pick<Opened, 'hooks'>> {
    const read = dependencies.hooks(root);
    if ('problem' in read) return { ok: false, reason: read.problem };
    const hooks = await storeHooks(blobs, [...operator, ...read.hooks]);
    if (hooks === undefined) return {};
    await dependencies.audit.append({
      kind: 'hooks',
      time: new Date().toISOString(),
      run,
      step: '',
      sha256: hooks.sha256,
      names: hooks.hooks.map(({ name }) => name),
    });
    return { hooks };
  }

  async function claim(
    root: string,
    run: string,
  ): Promise<Extract<OpenResult, { ok: false }> | undefined> {
    try {
      await leases.claim(root, run, dependencies.isRunOpen);
      return undefined;
    } catch (error) {
      if (!(error instanceof WorkspaceBusy)) throw error;
      const advice =
        'Wait until it ends (agent run --wait), end it, or choose another folder (-C).';
      return { ok: false, reason: `${error.message} ${advice}`, busy: error.run };
    }
  }

  async function takeWorkspace(
    root: string,
    run: string,
    wanted: SnapshotId | undefined,
  ): Promise<Extract<OpenResult, { ok: false }> | Pick<Opened, 'tree' | 'uncovered'>> {
    const busy = await claim(root, run);
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

  /** What differs on disk, where that is known; else what the tools said. */
  async function findChanges(
    actions: readonly Observation[],
    { run, workspace }: { readonly run: string; readonly workspace: string },
    trees: CloseRequest['trees'],
  ): Promise<Record<'changes' | 'ignored' | 'left', string[]>> {
    const told = actions.flatMap(({ changed }) => changed);
    if (trees === undefined)
      return { changes: [...new Set(told)].toSorted(), ignored: [], left: [] };
    return await transactions.exclusive(toRoot(workspace), run, async ({ snapshots }) => {
      const changed = await snapshots.sortChanges(trees.before, trees.after);
      const touched = await snapshots.findTouched(trees.before, trees.after);
      return {
        changes: changed.changes.map(({ path }) => path).toSorted(),
        ignored: changed.ignored.map(({ path }) => path).toSorted(),
        left: touched.map(({ path }) => path).toSorted(),
      };
    });
  }

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

/** Something else in place of what fails the third time; a full disk is waited for. */
async function orElse<T>(instead: T, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (Context.current().info.attempt < maxTries || ['ENOSPC', 'EDQUOT'].includes(code))
      throw error;
    return instead;
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
});

/** For everybody who follows the run: that commands are not offered, or not confined. */
function describeRestriction(sandbox: Sandbox): Pick<Opened, 'restricted'> {
  switch (sandbox.kind) {
    case 'bubblewrap':
      return {};
    case 'none':
      return { restricted: 'AGENT_SANDBOX=none: commands run unconfined, with your rights.' };
    case 'unavailable':
      return {
        restricted: `No commands are available, only file tools: ${sandbox.reason} ${sandbox.fix}`,
      };
  }
}

/** File names, and what stands in AGENTS.md, are whoever's the folder is from. */
function describeTrust(policy: Policy, facts: string): Pick<Opened, 'untrusted'> {
  const suspicious = findInjection(facts);
  const source = 'looking at the workspace (file names, AGENTS.md)';
  const untrusted = suspicious.length > 0 ? toUntrusted(policy, source, suspicious) : undefined;
  return untrusted === undefined ? {} : { untrusted };
}

/** Free of links, whether or not the folder is still there. */
function toRoot(workspace: string): string {
  try {
    return realpathSync(workspace);
  } catch {
    return workspace;
  }
}

/** The path, free of links, of a folder that is about to be made. */
function toFuture(workspace: string): string {
  if (existsSync(workspace)) return realpathSync(workspace);
  mkdirSync(dirname(workspace), { recursive: true });
  return join(realpathSync(dirname(workspace)), basename(workspace));
}

/** @throws ApplicationFailure `WorkspaceGone`, not retried: nobody but a person can bring it back. */
function toPresent(workspace: string): string {
  const problem = findProblem(workspace);
  if (problem === undefined) return realpathSync(workspace);
  throw ApplicationFailure.nonRetryable(
    `${problem} Its snapshots are kept: agent fork makes a copy as it was before any step.`,
    'WorkspaceGone',
  );
}

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
function describe(root: string, policy: Policy, sandbox: Sandbox): string {
  const authorize = (operation: 'read' | 'write' | 'delete' | 'list', path: string): void => {
    const { verdict, reason } = decidePath(policy, operation, path);
    if (verdict !== 'allow') throw new PathRefused('policy', reason);
  };
  const parts = [
    `Top of the folder:\n${listFiles(root, '.', { depth: 2, maxEntries: factsEntries, authorize })}`,
    sandbox.kind === 'unavailable' ? 'Commands cannot be run here; use the file tools.' : '',
    readInstructions(root, authorize),
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}
