/** A connection to Temporal for everything about runs. */
import { Client, isGrpcDeadlineError, isGrpcServiceError } from '@temporalio/client';
import type { Connection, WorkflowHandle } from '@temporalio/client';
import { createPayloadCodec } from '../../audit/record/keys/payload-codec.ts';
import { readPayloadKeys } from '../../audit/record/keys/payload-keys.ts';
import type { Settings } from '../../config/environment.ts';
import { toWorkflowId } from '../../workflows/names.ts';
import { connectTemporal } from '../connection.ts';
import { ClientError } from '../errors.ts';
import { readRedactor } from '../secrets.ts';

/** Where Temporal is; without `address`, whatever `@temporalio/envconfig` reads. */
export interface Target {
  readonly address?: string;
  readonly namespace?: string;
}

/** Settings that decide what Temporal gets to see. */
export type Discretion = Pick<Settings, 'apiKey' | 'secrets' | 'payloadKeys'>;

export interface Server {
  readonly address: string;
  readonly namespace: string;
  readonly client: Client;
  readonly connection: Connection;
  /** Waits at most 10 s. @throws ClientError if the server does not answer. */
  readonly bounded: <T>(call: () => Promise<T>, withinMs?: number) => Promise<T>;
  readonly handle: (run: string) => WorkflowHandle;
}

const connectWithinMs = 5_000;
const callWithinMs = 10_000;

/**
 * Connects within 5 s. Everything it sends is redacted. @throws ClientError naming the address; KeyFileError if
 * payloads must be encrypted and cannot be.
 */
export async function connectServer(target: Target, settings: Discretion): Promise<Server> {
  const { connectionOptions, namespace } = await readConnectOptions(target);
  const address = connectionOptions.address ?? '127.0.0.1:7233';
  const { payloadKeys } = settings;
  const codec = createPayloadCodec({
    redactor: readRedactor(settings),
    bound: true,
    keys: payloadKeys === undefined ? undefined : readPayloadKeys(payloadKeys),
  });
  const noAnswer = (error: unknown, see: string): ClientError =>
    new ClientError(
      `Temporal at ${address} does not answer: ${toReason(error)}. See: ${see}`,
      'unavailable',
    );
  const connection = await connectTemporal({
    ...connectionOptions,
    connectTimeout: connectWithinMs,
  }).catch((error: unknown) => {
    throw noAnswer(error, 'agent doctor');
  });
  const client = new Client({ connection, namespace, dataConverter: { payloadCodecs: [codec] } });
  return {
    address,
    namespace,
    client,
    connection,
    async bounded(call, withinMs = callWithinMs) {
      try {
        return await connection.withDeadline(Date.now() + withinMs, call);
      } catch (error) {
        throw isAway(error) ? noAnswer(error, 'agent ps') : error;
      }
    },
    handle: (run) => client.workflow.getHandle(toWorkflowId(run)),
  };
}

async function readConnectOptions({
  address,
  namespace,
}: Target): Promise<{
  readonly connectionOptions: Parameters<typeof connectTemporal>[0];
  readonly namespace: string;
}> {
  if (address !== undefined)
    return { connectionOptions: { address }, namespace: namespace ?? 'default' };
  const { loadClientConnectConfig } = await import('@temporalio/envconfig');
  const config = loadClientConnectConfig();
  return {
    connectionOptions: config.connectionOptions,
    namespace: namespace ?? config.namespace ?? 'default',
  };
}

/** True if the server is at fault, not the request: retry. */
export const isAway = (error: unknown): boolean =>
  isGrpcDeadlineError(error) ||
  (isGrpcServiceError(error) && [1, 4, 8, 14].includes(error.code)) ||
  (error instanceof Error && error.cause !== undefined && isAway(error.cause));

export const toReason = (error: unknown): string => {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return (inner as Error).message.split('\n')[0] ?? '';
};
