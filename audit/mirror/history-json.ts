import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';

import { readConfiguredKeys } from '../record/keys/configured-keys.ts';
import { isSealed, openPayload } from '../record/keys/payload-cipher.ts';

/** A history event as protobuf JSON: 64-bit numbers are strings, enums are names, times RFC 3339. */
export interface HistoryEventJson {
  readonly eventId: string;
  readonly eventTime: string;
  readonly eventType: string;
  readonly taskId?: string;
  readonly [attributes: string]: unknown;
}

/** Converts events from the client. Keeps empty attributes: reading back needs them. */
export const toHistoryJson = (events: readonly object[]): HistoryEventJson[] =>
  (JSON.parse(historyToJSON({ events: [...events] })) as { events?: HistoryEventJson[] }).events ??
  [];

/** A payload as protobuf JSON: bytes are base64. */
export interface PayloadJson {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly data?: string;
}

/** Decrypts a payload if necessary. @throws PayloadKeyError without its key. */
function toOpen({ metadata = {}, data = '' }: PayloadJson): PayloadJson {
  const bytes = Object.entries(metadata).map(([name, text]) => [name, Buffer.from(text, 'base64')]);
  const payload = { metadata: Object.fromEntries(bytes) as Record<string, Buffer> };
  if (!isSealed(payload)) return { metadata, data };
  const opened = openPayload(readConfiguredKeys(), {
    ...payload,
    data: Buffer.from(data, 'base64'),
  });
  const named = Object.entries(opened.metadata ?? {}).map(([name, value]) => [
    name,
    Buffer.from(value).toString('base64'),
  ]);
  return {
    metadata: Object.fromEntries(named) as Record<string, string>,
    data: Buffer.from(opened.data ?? []).toString('base64'),
  };
}

/** A payload's value, decrypted if necessary; undefined if it is not valid JSON. @throws PayloadKeyError */
export function decodePayload(payload: PayloadJson): unknown {
  const { metadata, data } = toOpen(payload);
  const encoding = Buffer.from(metadata?.['encoding'] ?? '', 'base64').toString();
  if (encoding !== 'json/plain' || data === undefined) return undefined;
  try {
    return JSON.parse(Buffer.from(data, 'base64').toString()) as unknown;
  } catch {
    return undefined; // Whoever can reach the server can write what only claims to be JSON.
  }
}

/** Values of a payload list; undefined for those that are not JSON. @throws PayloadKeyError */
export function decodePayloads(value: unknown): unknown[] {
  const { payloads = [] } = (value ?? {}) as { payloads?: readonly PayloadJson[] };
  return payloads.map(decodePayload);
}

interface FailureJson {
  readonly message?: string;
  readonly encodedAttributes?: PayloadJson;
  readonly cause?: FailureJson;
}

/** A failure's innermost message, decrypted if necessary: the outer ones say only that something failed. */
export function decodeFailure({ message, encodedAttributes, cause }: FailureJson): string {
  if (cause !== undefined) return decodeFailure(cause);
  const hidden = encodedAttributes === undefined ? undefined : decodePayload(encodedAttributes);
  return (hidden as FailureJson | undefined)?.message ?? message ?? '';
}

/** An event's attributes, whatever its type. */
export function attributesOf(event: HistoryEventJson): Readonly<Record<string, unknown>> {
  const key = Object.keys(event).find((name) => name.endsWith('EventAttributes'));
  return (key === undefined ? {} : event[key]) as Readonly<Record<string, unknown>>;
}

/** The execution this one continues in, from its final event. */
export function nextExecution(event: HistoryEventJson): string | undefined {
  const { newExecutionRunId } = attributesOf(event) as { newExecutionRunId?: string };
  return newExecutionRunId === undefined || newExecutionRunId === ''
    ? undefined
    : newExecutionRunId;
}

const ends =
  /^EVENT_TYPE_WORKFLOW_EXECUTION_(COMPLETED|FAILED|TIMED_OUT|CANCELED|TERMINATED|CONTINUED_AS_NEW)$/;

/** True for an execution's last event. */
export const isEnd = (event: HistoryEventJson): boolean => ends.test(event.eventType);
