/** The only file of the CLI that talks to Temporal. */
import {
  Client,
  isGrpcDeadlineError,
  isGrpcServiceError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import type { Connection, WorkflowExecutionInfo } from '@temporalio/client';
import { defineSearchAttributeKey, rootCause, SearchAttributeType } from '@temporalio/common';
import type { PayloadCodec, SignalDefinition } from '@temporalio/common';
import { toHistoryJson } from '../audit/mirror/history-json.ts';
import type { HistoryEventJson } from '../audit/mirror/history-json.ts';
import { readPages } from '../audit/verify/origin.ts';
import { createPayloadCodec } from '../audit/record/keys/payload-codec.ts';
import { readPayloadKeys } from '../audit/record/keys/payload-keys.ts';
import { abortWith } from '../audit/mirror/polls.ts';
import { connectTemporal } from './connection.ts';
import type { Settings } from '../config/environment.ts';
import type {
  ApprovalAnswer,
  PromoteResult,
  PromotionInput,
  RewindOrder,
  Rewound,
  RunInput,
  RunResult,
  RunView,
} from '../workflows/contract.ts';
import {
  answerApproval,
  promotionType,
  rewindRun,
  runView,
  toPromotionId,
} from '../workflows/contract.ts';
import { fromWorkflowId, toWorkflowId, workflowType } from '../workflows/names.ts';
import type { RunState } from '../workflows/state.ts';
import { ClientError, takenId, invalid } from './errors.ts';
import type { HistoryPage } from './events/history.ts';
import { readRedactor } from './secrets.ts';
import { findTrouble, isTaskFailing } from './trouble.ts';
import type { Trouble } from './trouble.ts';

/** One line of `agent list`, from search attributes and memo only. */
export interface RunRow {
  readonly run: string;
  /** A RunStatus, or `running`, `waiting-for-model`, `needs-approval`, `paused`. */
  readonly status: string;
  readonly open: boolean;
  readonly step: string;
  readonly model: string;
  readonly tokens: number;
  readonly toolCalls: number;
  /** RFC 3339. */
  readonly started: string;
  readonly ended?: string;
  readonly goal: string;
  readonly workspace: string;
  /** What keeps an open run from getting on. */
  readonly trouble?: Trouble;
  /** Number of the order it was announced with; absent for runs from before there were any. */
  readonly order?: string;
}

/** A raw event; `taskId` is 0 while it is not durable. */
export type HistoryEvent = NonNullable<
  NonNullable<
    Awaited<ReturnType<Connection['workflowService']['getWorkflowExecutionHistory']>>['history']
  >['events']
>[number];

export interface RunClient {
  readonly address: string;
  /** @throws ClientError when the id is taken. */
  start(input: RunInput, taskQueue: string, carried?: RunState): Promise<void>;
  /** Takes the run back to the start of a step. @throws ClientError with the workflow's reason when it is refused. */
  rewind(run: string, order: RewindOrder): Promise<Rewound>;
  /** Brings the change of a staged run over; one that is under way is waited for. @throws ClientError when it fails for good. */
  promote(input: PromotionInput, taskQueue: string): Promise<PromoteResult>;
  /** Needs the server only, no worker. False when the run is not open. */
  signal<Args extends unknown[]>(
    run: string,
    definition: SignalDefinition<Args>,
    ...args: Args
  ): Promise<boolean>;
  /** How the run ended; undefined when it does not end in time, or without a word of its own. */
  result(run: string, withinMs: number): Promise<RunResult | undefined>;
  /** Undefined when no worker answers in time. */
  view(run: string, withinMs: number): Promise<RunView | undefined>;
  /** @throws ClientError with the workflow's reason when the answer is refused. */
  answer(run: string, answer: ApprovalAnswer): Promise<void>;
  /** Newest first. */
  list(most: number): Promise<RunRow[]>;
  /** Runs that wait for a person. */
  listWaiting(): Promise<string[]>;
  /** Everything that is open, by workflow id. Needs no keys: nothing is decoded. */
  listOpen(): Promise<string[]>;
  /** Ends the run's workflow from outside, whatever state it is in. False when it is not open. */
  terminate(run: string, reason: string): Promise<boolean>;
  /** What keeps the run from getting on; undefined when nothing does. */
  findTrouble(run: string): Promise<Trouble | undefined>;
  /** Undefined when there is no such run. */
  describe(run: string): Promise<(RunRow & { readonly firstRunId: string }) | undefined>;
  /** One answer; with `wait` a long poll of about 20 s when all is read. @throws what `isAway` knows. */
  readHistory(
    run: string,
    runId: string,
    token: Uint8Array | undefined,
    options: { readonly signal: AbortSignal; readonly wait: boolean },
  ): Promise<HistoryPage<HistoryEvent>>;
  /** An execution as it is now (the latest, without `runId`); undefined when the server does not have it. */
  fetchHistory(
    run: string,
    runId?: string,
  ): Promise<AsyncIterable<readonly HistoryEventJson[]> | undefined>;
  close(): Promise<void>;
}

/** Where Temporal is; without `address` what `@temporalio/envconfig` reads counts. */
export interface Target {
  readonly address?: string;
  readonly namespace?: string;
}

const connectWithinMs = 5_000;
const callWithinMs = 10_000;

/** What of the settings decides on what Temporal gets to see. */
type Discretion = Pick<Settings, 'apiKey' | 'secrets' | 'payloadKeys'>;

/**
 * Connects within 5 s. Nothing it sends has a secret of these settings in it.
 * @throws ClientError naming the address; KeyFileError when payloads are to be encrypted and cannot be.
 */
export async function connectClient(target: Target, settings: Discretion): Promise<RunClient> {
  const { connectionOptions, namespace } = await toConnectOptions(target);
  const address = connectionOptions.address ?? '127.0.0.1:7233';
  const codec = toCodec(settings);
  const connection = await connectTemporal({
    ...connectionOptions,
    connectTimeout: connectWithinMs,
  }).catch((error: unknown) => {
    throw new ClientError(
      `Temporal at ${address} does not answer: ${toReason(error)}. See: agent doctor`,
      'unavailable',
    );
  });
  return createRunClient(connection, { namespace, codec }, address);
}

function toCodec(settings: Discretion): PayloadCodec {
  const { payloadKeys } = settings;
  return createPayloadCodec({
    redactor: readRedactor(settings),
    bound: true,
    keys: payloadKeys === undefined ? undefined : readPayloadKeys(payloadKeys),
  });
}

type ConnectOptions = Parameters<typeof connectTemporal>[0];

async function toConnectOptions(
  target: Target,
): Promise<{ connectionOptions: ConnectOptions; namespace: string }> {
  if (target.address !== undefined) {
    return {
      connectionOptions: { address: target.address },
      namespace: target.namespace ?? 'default',
    };
  }
  const { loadClientConnectConfig } = await import('@temporalio/envconfig');
  const { connectionOptions, namespace } = loadClientConnectConfig();
  return { connectionOptions, namespace: target.namespace ?? namespace ?? 'default' };
}

function createRunClient(
  connection: Connection,
  { namespace, codec }: { readonly namespace: string; readonly codec: PayloadCodec },
  address: string,
): RunClient {
  const dataConverter = { payloadCodecs: [codec] };
  const client = new Client({ connection, namespace, dataConverter });
  const service = connection.workflowService;
  const bounded = async <T>(what: () => Promise<T>, withinMs = callWithinMs): Promise<T> => {
    try {
      return await connection.withDeadline(Date.now() + withinMs, what);
    } catch (error) {
      throw isAway(error)
        ? new ClientError(
            `Temporal at ${address} does not answer: ${toReason(error)}. See: agent ps`,
            'unavailable',
          )
        : error;
    }
  };
  const handle = (run: string) => client.workflow.getHandle(toWorkflowId(run));

  return {
    address,
    async start(input, taskQueue, carried) {
      const head = input.goal.replace(/\s+/g, ' ').trim();
      try {
        await bounded(() =>
          client.workflow.start(workflowType, {
            workflowId: toWorkflowId(input.run),
            taskQueue,
            args: carried === undefined ? [input] : [input, carried],
            workflowIdConflictPolicy: 'FAIL',
            workflowIdReusePolicy: 'REJECT_DUPLICATE',
            staticSummary: head.slice(0, 200),
            memo: {
              goal: head.slice(0, 200),
              workspace: input.workspace,
              started: input.started,
              order: input.order?.nonce ?? '',
            },
            typedSearchAttributes: [
              { key: keys.status, value: 'running' },
              { key: keys.model, value: input.models.executor.model },
            ],
          }),
        );
      } catch (error) {
        if (isUnprepared(error)) throw unpreparedServer(address, toReason(error));
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
        throw takenId(input.run);
      }
    },
    async signal(run, definition, ...args) {
      try {
        await bounded(() => handle(run).signal(definition, ...args));
        return true;
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false;
        throw error;
      }
    },
    async view(run, withinMs) {
      try {
        return await connection.withDeadline(Date.now() + withinMs, () =>
          handle(run).query(runView),
        );
      } catch {
        // No worker, a worker busy replaying, or a server just starting: the caller has the record to fall back on.
        return undefined;
      }
    },
    async result(run, withinMs) {
      try {
        return await connection.withDeadline(
          Date.now() + withinMs,
          async () => (await handle(run).result()) as RunResult,
        );
      } catch {
        return undefined;
      }
    },
    async answer(run, answer) {
      try {
        await bounded(() => handle(run).executeUpdate(answerApproval, { args: [answer] }), 30_000);
      } catch (error) {
        if (error instanceof WorkflowUpdateFailedError) {
          throw invalid((error.cause ?? error).message);
        }
        if (error instanceof WorkflowNotFoundError) throw notWaiting(run);
        throw error;
      }
    },
    async promote(input, taskQueue) {
      const { run } = input.request;
      const started = await bounded(() =>
        client.workflow.start(promotionType, {
          workflowId: toWorkflowId(toPromotionId(run)),
          taskQueue,
          args: [input],
          workflowIdConflictPolicy: 'USE_EXISTING',
          workflowIdReusePolicy: 'ALLOW_DUPLICATE',
          staticSummary: `promote run ${run}`,
        }),
      );
      try {
        return (await started.result()) as PromoteResult;
      } catch (error) {
        if (!(error instanceof WorkflowFailedError)) throw error;
        const why = rootCause(error) ?? error.message;
        throw new ClientError(`The changes of run ${run} could not be applied: ${why}`, 'failed');
      }
    },
    async rewind(run, order) {
      try {
        return await bounded(
          () => handle(run).executeUpdate(rewindRun, { args: [order] }),
          120_000,
        );
      } catch (error) {
        if (error instanceof WorkflowUpdateFailedError)
          throw invalid((error.cause ?? error).message);
        if (error instanceof WorkflowNotFoundError) {
          throw invalid(
            `Run ${run} has ended. Start a new run from one of its steps: agent fork ${run} --step ${order.step}`,
          );
        }
        throw error;
      }
    },
    async list(most) {
      // A run that went on in a fresh history has several executions; only the last one counts.
      const query = `WorkflowType = '${workflowType}' AND ExecutionStatus != 'ContinuedAsNew'`;
      const rows: RunRow[] = [];
      await bounded(async () => {
        for await (const info of client.workflow.list({ query, pageSize: Math.min(most, 500) })) {
          rows.push(toRow(info));
          if (rows.length >= most) break;
        }
      });
      return rows.toSorted((a, b) => b.started.localeCompare(a.started));
    },
    async listWaiting() {
      const query = `WorkflowType = '${workflowType}' AND ExecutionStatus = 'Running' AND AgentStatus = 'needs-approval'`;
      const runs: string[] = [];
      await bounded(async () => {
        for await (const { workflowId } of client.workflow.list({ query, pageSize: 500 }))
          runs.push(fromWorkflowId(workflowId));
      });
      return runs.toSorted();
    },
    async listOpen() {
      const query = `ExecutionStatus = 'Running'`;
      const { executions } = await bounded(() =>
        service.listWorkflowExecutions({ namespace, query, pageSize: 500 }),
      );
      return executions.map(({ execution }) => execution?.workflowId ?? '').toSorted();
    },
    async terminate(run, reason) {
      try {
        await bounded(() => handle(run).terminate(reason));
        return true;
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false;
        throw error;
      }
    },
    async findTrouble(run) {
      const execution = { workflowId: toWorkflowId(run) };
      try {
        return await bounded(async () => {
          const described = await service.describeWorkflowExecution({ namespace, execution });
          if (!isTaskFailing(described)) return findTrouble(described);
          const last = await service.getWorkflowExecutionHistoryReverse({
            namespace,
            execution,
            maximumPageSize: 50,
          });
          return findTrouble(described, toHistoryJson(last.history?.events ?? []));
        });
      } catch {
        return undefined; // A hint: what the caller came for is told without it.
      }
    },
    async describe(run) {
      try {
        const info = await bounded(() => handle(run).describe());
        const firstRunId = info.raw.workflowExecutionInfo?.firstRunId || info.runId;
        return { ...toRow(info), firstRunId };
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return undefined;
        throw error;
      }
    },
    async readHistory(run, runId, token, { signal, wait }) {
      const answer = await abortWith(signal, (own) =>
        connection.withAbortSignal(own, () =>
          connection.withDeadline(Date.now() + 60_000, () =>
            service.getWorkflowExecutionHistory({
              namespace,
              execution: { workflowId: toWorkflowId(run), runId },
              waitNewEvent: wait,
              nextPageToken: token,
            }),
          ),
        ),
      );
      const more = answer.nextPageToken;
      // The end is an empty token, not a missing one.
      const next = more === undefined || more === null || more.length === 0 ? undefined : more;
      return { events: answer.history?.events ?? [], next };
    },
    async fetchHistory(run, runId) {
      const pages = readPages(
        {
          getWorkflowExecutionHistory: (request) =>
            bounded(() => service.getWorkflowExecutionHistory(request), 60_000),
        },
        namespace,
        toWorkflowId(run),
        runId,
      );
      try {
        const first = await pages.next();
        return first.done === true ? undefined : prepend(first.value, pages);
      } catch (error) {
        // Not found, or an id that is none.
        if (isGrpcServiceError(error) && [3, 5].includes(error.code)) return undefined;
        throw error;
      }
    },
    close: () => connection.close(),
  };
}

async function* prepend<T>(first: T, rest: AsyncIterable<T>): AsyncGenerator<T> {
  yield first;
  yield* rest;
}

const keys = {
  status: defineSearchAttributeKey('AgentStatus', SearchAttributeType.KEYWORD),
  step: defineSearchAttributeKey('AgentStep', SearchAttributeType.KEYWORD),
  model: defineSearchAttributeKey('AgentModel', SearchAttributeType.KEYWORD),
  tokens: defineSearchAttributeKey('AgentTokens', SearchAttributeType.INT),
  toolCalls: defineSearchAttributeKey('AgentToolCalls', SearchAttributeType.INT),
};

type Listed = Pick<
  WorkflowExecutionInfo,
  'workflowId' | 'startTime' | 'status' | 'typedSearchAttributes'
> & { readonly closeTime?: Date | undefined; readonly memo?: Record<string, unknown> | undefined };

function toRow(info: Listed): RunRow {
  const attributes = info.typedSearchAttributes;
  const memo = (name: string): string => {
    const value = info.memo?.[name];
    return typeof value === 'string' ? value : '';
  };
  const open = info.status.name === 'RUNNING' || info.status.name === 'PAUSED';
  return {
    run: fromWorkflowId(info.workflowId),
    status: toStatus(info.status.name, attributes.get(keys.status)),
    open,
    step: attributes.get(keys.step) ?? '',
    model: attributes.get(keys.model) ?? '',
    tokens: attributes.get(keys.tokens) ?? 0,
    toolCalls: attributes.get(keys.toolCalls) ?? 0,
    started: memo('started') || info.startTime.toISOString(),
    ended: info.closeTime === undefined || open ? undefined : info.closeTime.toISOString(),
    goal: memo('goal'),
    workspace: memo('workspace'),
    order: memo('order') === '' ? undefined : memo('order'),
  };
}

/** A run ended from outside (Web UI, server) has no word of its own for it. */
function toStatus(
  server: WorkflowExecutionInfo['status']['name'],
  own: string | undefined,
): string {
  if (server === 'TERMINATED' || server === 'CANCELLED') return 'cancelled';
  if (server === 'FAILED' || server === 'TIMED_OUT') return 'failed';
  return own ?? 'running';
}

const notWaiting = (run: string): ClientError => invalid(`No approval is waiting in run ${run}.`);

/** A cluster nobody registered our search attributes on. */
const isUnprepared = (error: unknown): boolean => /search attribute/i.test(toReason(error));

const unpreparedServer = (address: string, reason: string): ClientError =>
  new ClientError(
    `Temporal at ${address} refuses the run: ${reason}. Register the search attributes named in docs/operations.md, "Using a Temporal cluster".`,
    'configuration',
  );

/** True when the server, not the request, is the trouble: worth asking again. */
export const isAway = (error: unknown): boolean =>
  isGrpcDeadlineError(error) ||
  (isGrpcServiceError(error) && [1, 4, 8, 14].includes(error.code)) ||
  (error instanceof Error && error.cause !== undefined && isAway(error.cause));

const toReason = (error: unknown): string => {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return (inner as Error).message.split('\n')[0] ?? '';
};
