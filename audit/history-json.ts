import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';

/** A history event in protobuf's JSON form: 64-bit numbers are text, enums are names, times are RFC 3339. */
export interface HistoryEventJson {
  readonly eventId: string;
  readonly eventTime: string;
  readonly eventType: string;
  readonly taskId?: string;
  readonly [attributes: string]: unknown;
}

/** Converts events as the client hands them out. Empty attributes are kept: reading back needs them. */
export const toHistoryJson = (events: readonly object[]): HistoryEventJson[] =>
  (
    JSON.parse(historyToJSON({ events: [...events] })) as {
      events?: HistoryEventJson[];
    }
  ).events ?? [];

interface PayloadJson {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly data?: string;
}

/** Values of a payload list. A payload that is not plain JSON (encrypted, binary) is undefined. */
export function decodePayloads(value: unknown): unknown[] {
  const { payloads = [] } = (value ?? {}) as { payloads?: readonly PayloadJson[] };
  return payloads.map(({ metadata, data }) => {
    const encoding = Buffer.from(metadata?.['encoding'] ?? '', 'base64').toString();
    if (encoding !== 'json/plain' || data === undefined) return undefined;
    return JSON.parse(Buffer.from(data, 'base64').toString()) as unknown;
  });
}

/** The attributes of an event, whatever its type. */
export function attributesOf(event: HistoryEventJson): Readonly<Record<string, unknown>> {
  const key = Object.keys(event).find((name) => name.endsWith('EventAttributes'));
  return (key === undefined ? {} : event[key]) as Readonly<Record<string, unknown>>;
}

/** The run this one goes on in, for events that end an execution to go on in another. */
export function nextExecution(event: HistoryEventJson): string | undefined {
  const { newExecutionRunId } = attributesOf(event) as { newExecutionRunId?: string };
  return newExecutionRunId === undefined || newExecutionRunId === ''
    ? undefined
    : newExecutionRunId;
}

const ends =
  /^EVENT_TYPE_WORKFLOW_EXECUTION_(COMPLETED|FAILED|TIMED_OUT|CANCELED|TERMINATED|CONTINUED_AS_NEW)$/;

/** The last event of an execution. */
export const isEnd = (event: HistoryEventJson): boolean => ends.test(event.eventType);
