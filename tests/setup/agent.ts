/** The agent inside a test: the real worker in this process, a scripted model, a workspace and a state folder of its own. */
import { existsSync, mkdtempSync, realpathSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client } from '@temporalio/client';
import type { WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import { DefaultLogger, Runtime, Worker, makeTelemetryFilterString } from '@temporalio/worker';
import type { WorkerOptions } from '@temporalio/worker';
import { createMessageActivities } from '../../activities/check-messages.ts';
import { createModelActivities } from '../../activities/model/model-activities.ts';
import { createTransactions } from '../../activities/act/transactions.ts';
import { createWorkspaceActivities } from '../../activities/act/workspace-activities.ts';
import { createLeases } from '../../activities/files/lease.ts';
import { probeSandbox } from '../../activities/sandbox/sandbox.ts';
import type { Sandbox } from '../../activities/sandbox/sandbox.ts';
import { signAnswer } from '../../audit/record/keys/answer-signature.ts';
import { createBlobStore } from '../../audit/record/blobs.ts';
import type { BlobStore } from '../../audit/record/blobs.ts';
import { createOrderLedger } from '../../audit/record/keys/order-ledger.ts';
import { createProjection } from '../../audit/events/events.ts';
import type { RunEvent } from '../../audit/events/events.ts';
import { toHistoryJson } from '../../audit/mirror/history-json.ts';
import { createAuditLog } from '../../audit/record/log.ts';
import type { AuditLog } from '../../audit/record/log.ts';
import { ensureSigningKey } from '../../audit/record/keys/signing-key.ts';
import { connectTemporal } from '../../client/connection.ts';
import { readSettings } from '../../config/environment.ts';
import { toStateFolders } from '../../config/folders.ts';
import type { StateFolders } from '../../config/folders.ts';
import { tryHooks } from '../../config/hooks.ts';
import { createOffLimits } from '../../config/off-limits.ts';
import { readPolicyBundle } from '../../config/policies.ts';
import { readBundle } from '../../workers/bundle.ts';
import { connectNative } from '../../workers/native-connection.ts';
import { createOpenCheck } from '../../workers/open-runs.ts';
import { endSameFailures } from '../../workers/same-failure.ts';
import { announcedOnly } from '../../workers/orders.ts';
import type {
  AgentRun,
  ApprovalAnswer,
  RunInput,
  RunResult,
  RunPhase,
  RunView,
} from '../../workflows/contract.ts';
import { answerApproval, runView } from '../../workflows/contract.ts';
import { toQueues, toWorkflowId, workflowType } from '../../workflows/names.ts';
import { startModelServer } from '../model-server/server.ts';
import type { ModelServer } from '../model-server/server.ts';
import type { Script } from '../model-server/script.ts';
import { signingMessages, toOrdered } from './orders.ts';
import { waitFor } from './wait-for.ts';
import { builtIn } from '../../tools/built-in.ts';

export type RunHandle = WorkflowHandleWithFirstExecutionRunId<AgentRun>;

type PhaseOf<P extends RunPhase['phase']> = Extract<RunPhase, { readonly phase: P }>;

export interface TestAgent {
  readonly client: Client;
  readonly model: ModelServer;
  readonly workspace: string;
  readonly folders: StateFolders;
  readonly blobs: BlobStore;
  /** Starts a run and returns at once. */
  start(goal: string, overrides?: Partial<RunInput>): Promise<RunHandle>;
  /** Starts a run and waits for its end. */
  run(goal: string, overrides?: Partial<RunInput>): Promise<RunResult>;
  /** Answers a request as the operator does. */
  answer(handle: RunHandle, answer: ApprovalAnswer): Promise<void>;
  /** The run's events so far, over all the histories it went on in. */
  events(handle: RunHandle): Promise<RunEvent[]>;
  /** Waits until the run is in a phase, and in one that `fits`. */
  waitFor<P extends RunPhase['phase']>(
    handle: RunHandle,
    phase: P,
    fits?: (now: PhaseOf<P>) => boolean,
  ): Promise<RunView & { readonly now: PhaseOf<P> }>;
  /** A file of the workspace. */
  read(path: string): Promise<string>;
  stop(): Promise<void>;
}

export interface TestAgentOptions {
  readonly files?: Readonly<Record<string, string>>;
  readonly model?: Parameters<typeof startModelServer>[1];
  readonly address?: string;
  /** A model server other than the scripted one. */
  readonly baseUrl?: string;
  /** In place of what this machine has. */
  readonly sandbox?: Sandbox;
  /** Host of the workers that run workflows and ask models, when it is not that of the workspace. */
  readonly otherHost?: string;
  /** Replaces the default bundle's files. */
  readonly policies?: Readonly<
    Partial<Record<'tools.yaml' | 'network.yaml' | 'paths.yaml', string>>
  >;
}

const hasSandbox = existsSync('/usr/bin/bwrap');

let names = 0;

/** Quiet: what the SDK has to say of a test is in its failure. */
function silence(): void {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    shutdownSignals: [],
    telemetryOptions: {
      logging: { filter: makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' }) },
    },
  });
}
let silenced = false;

export async function startAgent(
  script: Script,
  options: TestAgentOptions = {},
): Promise<TestAgent> {
  if (!silenced) silence();
  silenced = true;
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'agent-test-')));
  const workspace = join(root, 'workspace');
  const folders = toStateFolders(join(root, 'state'));
  await mkdir(workspace);
  for (const [path, content] of Object.entries(options.files ?? {})) {
    await mkdir(dirname(join(workspace, path)), { recursive: true });
    await writeFile(join(workspace, path), content);
  }
  const policiesDir = await copyPolicies(root, options.policies);
  const address = options.address ?? process.env['TEMPORAL_TEST_ADDRESS'];
  if (address === undefined)
    throw new Error('TEMPORAL_TEST_ADDRESS is not set: run tests with `npm test`.');
  const model = await startModelServer(script, options.model);
  const blobs = createBlobStore(folders.blobs);
  const audit: AuditLog = createAuditLog(folders.audit);
  const bundle = await readPolicyBundle(policiesDir);
  const prefix = `test-${process.pid}-${names++}`;
  const queues = toQueues(prefix, 'here');
  const [connection, native, { codePath }, sandbox] = await Promise.all([
    connectTemporal({ address }),
    connectNative({ address }),
    readBundle(readSettings({ cwd: '/' }).cacheDir),
    // Where there is no sandbox, runs are tested without: tests/workspace is about sandboxes.
    options.sandbox ?? probeSandbox(hasSandbox ? 'auto' : 'none', join(folders.root, 'sandbox')),
  ]);
  const modelSide = createModelActivities({
    tools: builtIn,
    blobs,
    keyOf: () => undefined,
    defaultBaseUrl: options.baseUrl ?? model.baseUrl,
    spoolDir: folders.spool,
    answersDir: join(folders.root, 'answers'),
  });
  const key = ensureSigningKey(join(root, 'keys', 'operator.pem'));
  const workspaceSide = createWorkspaceActivities({
    tools: builtIn,
    blobs,
    audit,
    sandbox,
    approvers: () => [key],
    policy: () => Promise.resolve(bundle),
    transactions: createTransactions(createLeases(folders.leases), folders.snapshots),
    copiesDir: folders.copies,
    stagedDir: folders.staged,
    offLimits: createOffLimits({ ...readSettings({ cwd: '/' }), folders }),
    hooks: tryHooks,
    isRunOpen: createOpenCheck(native.workflowService, 'default'),
    spillDir: join(folders.root, 'spill'),
  });
  const toCommon = (host: string) => {
    const announced = announcedOnly({
      service: native.workflowService,
      namespace: 'default',
      codecs: [],
      queues: toQueues(prefix, host),
      approvers: () => [key],
      approversFile: 'operator.pub',
      ledger: createOrderLedger(folders.orders),
      audit: () => Promise.resolve(audit),
      places: { copies: folders.copies },
    });
    return {
      connection: native,
      interceptors: { activity: [endSameFailures(), announced] },
      maxHeartbeatThrottleInterval: '100ms',
      shutdownGraceTime: '0s',
    } satisfies Partial<WorkerOptions>;
  };
  const here = toCommon('here');
  const there = options.otherHost === undefined ? here : toCommon(options.otherHost);
  const workers = await Promise.all([
    Worker.create({
      ...there,
      taskQueue: queues.run,
      workflowBundle: { codePath },
      activities: createMessageActivities({
        approvers: () => [key],
        audit: () => Promise.resolve(audit),
      }),
    }),
    Worker.create({ ...there, taskQueue: queues.model, activities: modelSide }),
    Worker.create({ ...here, taskQueue: queues.workspace, activities: workspaceSide }),
  ]);
  const running = workers.map((worker) => worker.run());
  /** Numbers of the orders of runs, by workflow id. */
  const orders = new Map<string, string>();
  const client = new Client({
    connection,
    interceptors: { workflow: [signingMessages(key, orders)] },
  });

  const start = async (goal: string, overrides: Partial<RunInput> = {}): Promise<RunHandle> => {
    const run = overrides.run ?? `t${process.pid}-${names++}`;
    const choice = { model: 'scripted' };
    const input: RunInput = {
      run,
      goal,
      workspace,
      queues,
      limits: {},
      approve: 'ask',
      by: 'tester',
      models: { planner: choice, executor: choice, reviewer: choice },
      started: new Date().toISOString(),
      ...overrides,
    };
    const ordered = toOrdered(key, input);
    orders.set(toWorkflowId(run), ordered.order?.nonce ?? '');
    return await client.workflow.start<AgentRun>(workflowType, {
      workflowId: toWorkflowId(run),
      taskQueue: queues.run,
      args: [ordered],
    });
  };

  return {
    client,
    model,
    workspace,
    folders,
    blobs,
    start,
    run: async (goal, overrides) => await (await start(goal, overrides)).result(),
    async answer(handle, answer) {
      const signature = signAnswer(key, { run: handle.workflowId.replace(/^run-/, ''), ...answer });
      await handle.executeUpdate(answerApproval, { args: [{ signature, ...answer }] });
    },
    events: (handle) => readEvents(client, handle),
    async waitFor<P extends RunPhase['phase']>(
      handle: RunHandle,
      phase: P,
      fits: (now: PhaseOf<P>) => boolean = () => true,
    ) {
      let now: RunPhase | undefined;
      const isIt = (each: RunPhase): each is PhaseOf<P> => each.phase === phase;
      const look = async () => {
        const view = await handle.query(runView);
        ({ now } = view);
        return isIt(now) && fits(now) && { ...view, now };
      };
      return await waitFor(() => `${phase}; the run stays in ${JSON.stringify(now)}`, look);
    },
    read: (path) => readFile(join(workspace, path), 'utf8'),
    async stop() {
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
      await Promise.all(running);
      await model.close();
      await connection.close();
      await native.close();
      await audit.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

const shipped = new URL('../../policies/', import.meta.url);

async function copyPolicies(
  root: string,
  replaced: TestAgentOptions['policies'] = {},
): Promise<string> {
  const folder = join(root, 'policies');
  await mkdir(folder);
  for (const name of ['tools.yaml', 'network.yaml', 'paths.yaml'] as const) {
    await writeFile(
      join(folder, name),
      replaced[name] ?? (await readFile(new URL(name, shipped), 'utf8')),
    );
  }
  return folder;
}

async function readEvents(client: Client, { workflowId }: RunHandle): Promise<RunEvent[]> {
  const projection = createProjection(workflowId.replace(/^run-/, ''));
  const events: RunEvent[] = [];
  const handle = client.workflow.getHandle(workflowId);
  const first = (await handle.fetchHistory()).events?.[0]?.workflowExecutionStartedEventAttributes
    ?.firstExecutionRunId;
  for (let runId: string | null | undefined = first; runId;) {
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    for (const event of toHistoryJson(history.events ?? []))
      events.push(...projection.apply(event));
    runId =
      history.events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
  }
  return events;
}
