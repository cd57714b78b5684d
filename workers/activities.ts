import { join } from 'node:path';
import type { ModelActivities } from '../activities/contract/model.ts';
import type { WorkspaceActivities } from '../activities/contract/workspace.ts';
import type { MessageDependencies } from '../activities/check-messages.ts';
import type { MessageActivities } from '../activities/contract/messages.ts';
import type { createWorkspaceActivities } from '../activities/act/workspace-activities.ts';
import { createBlobStore } from '../audit/record/blobs.ts';
import type { AuditLog } from '../audit/record/log.ts';
import type { Settings } from '../config/environment.ts';
import type { Redactor } from '../policies/secrets/redaction.ts';
import type { Log } from './logger.ts';
import type { OpenPolicy } from './policy.ts';

/**
 * The model side: has the key, but no workspace. Loaded only if the role is served. `keyOf` gives the key for a model
 * server, if there is one.
 */
export async function createModelSide(
  settings: Settings,
  redactor: Redactor,
  keyOf: (baseUrl: string) => string | undefined,
): Promise<ModelActivities> {
  const [{ createModelActivities }, { builtIn }] = await Promise.all([
    import('../activities/model/model-activities.ts'),
    import('../tools/built-in.ts'),
  ]);
  const { folders } = settings;
  return createModelActivities({
    blobs: createBlobStore(folders.blobs, redactor),
    tools: builtIn,
    redactor,
    keyOf,
    defaultBaseUrl: settings.baseUrl,
    spoolDir: folders.spool,
    answersDir: join(folders.root, 'answers'),
  });
}

/** This process's audit log; its code is loaded with the first write. */
export function createAudit(
  { folders }: Pick<Settings, 'folders'>,
  redactor: Redactor,
): () => Promise<AuditLog> {
  let opened: Promise<AuditLog> | undefined;
  const open = async (): Promise<AuditLog> => {
    const { createAuditLog } = await import('../audit/record/log.ts');
    return createAuditLog(folders.audit, undefined, undefined, redactor);
  };
  return () => (opened ??= open());
}

/** Beside the workflow code: knows who may send messages to a run. */
export async function createMessageSide(
  dependencies: MessageDependencies,
): Promise<MessageActivities> {
  const { createMessageActivities } = await import('../activities/check-messages.ts');
  return createMessageActivities(dependencies);
}

/** What tools run with: the policy in force, this machine's sandbox, the records. */
export type WorkspaceDependencies = Parameters<typeof createWorkspaceActivities>[0];

interface Common {
  readonly log: Log;
  readonly redactor: Redactor;
  readonly audit: () => Promise<AuditLog>;
}

/** @throws PolicyError if a policy file is invalid. */
export async function readWorkspaceDependencies(
  settings: Settings,
  { log, redactor, audit: openAudit }: Common,
  openPolicy: OpenPolicy,
): Promise<Omit<WorkspaceDependencies, 'isRunOpen'>> {
  const [
    { tightenOrLock },
    { probeSandbox },
    { createTransactions },
    { createLeases },
    { recoverGit },
    { withoutNetwork },
    { tryHooks },
    { followApprovers },
    { createOffLimits },
    { builtIn },
  ] = await Promise.all([
    import('../config/policies.ts'),
    import('../activities/sandbox/sandbox.ts'),
    import('../activities/act/transactions.ts'),
    import('../activities/files/lease.ts'),
    import('../activities/sandbox/git/recover.ts'),
    import('../policies/network/network.ts'),
    import('../config/hooks.ts'),
    import('../audit/record/keys/approvers.ts'),
    import('../config/off-limits.ts'),
    import('../tools/built-in.ts'),
  ]);
  const { folders } = settings;
  const audit = await openAudit();
  const [inForce, sandbox] = await Promise.all([
    openPolicy(settings, log, audit),
    probeSandbox(settings.sandbox, join(folders.root, 'sandbox')),
  ]);
  if (sandbox.kind !== 'bubblewrap') log.warn({ sandbox }, 'commands do not run in bubblewrap');
  return {
    redactor,
    blobs: createBlobStore(folders.blobs, redactor),
    tools: builtIn,
    audit,
    async policy(workspace) {
      const bundle = tightenOrLock(await inForce(), workspace);
      return settings.allowNet ? bundle : { ...bundle, policy: withoutNetwork(bundle.policy) };
    },
    transactions: createTransactions(
      createLeases(folders.leases),
      folders.snapshots,
      async (root) =>
        sandbox.kind === 'bubblewrap' &&
        (await recoverGit({ root, folder: sandbox.files.gitFolders })),
    ),
    approvers: followApprovers(settings.approvers, (why) => log.warn({ why }, 'approvers')),
    copiesDir: folders.copies,
    stagedDir: folders.staged,
    offLimits: createOffLimits(settings),
    hooks: tryHooks,
    spillDir: join(folders.root, 'spill'),
    sandbox,
  };
}

/** The workspace side: has the folder, but no key. @throws PolicyError if a policy file is invalid. */
export async function createWorkspaceSide(
  settings: Settings,
  given: Common & {
    readonly isRunOpen: WorkspaceDependencies['isRunOpen'];
    readonly openPolicy: OpenPolicy;
  },
): Promise<WorkspaceActivities> {
  const { createWorkspaceActivities: create } =
    await import('../activities/act/workspace-activities.ts');
  const dependencies = await readWorkspaceDependencies(settings, given, given.openPolicy);
  return create({ ...dependencies, isRunOpen: given.isRunOpen });
}

export const messageNames = ['checkMessages'] as const satisfies (keyof MessageActivities)[];
export const modelNames = ['plan', 'think', 'review'] as const satisfies (keyof ModelActivities)[];
export const workspaceNames = [
  'openWorkspace',
  'ensureWorkspace',
  'openLane',
  'mergeLane',
  'promote',
  'inspectWork',
  'act',
  'closeRun',
] as const satisfies (keyof WorkspaceActivities)[];

/**
 * Activities whose code is still loading: a call waits for it. This way the queues are served, and the first run
 * starts, while the model client is still being loaded.
 */
export const toActivities = <T extends object>(
  names: readonly (keyof T & string)[],
  side: Promise<T>,
): Record<string, (request: unknown) => Promise<unknown>> =>
  Object.fromEntries(
    names.map((name) => [
      name,
      async (request: unknown) => {
        const activity = (await side)[name] as (request: unknown) => Promise<unknown>;
        return await activity(request);
      },
    ]),
  );
