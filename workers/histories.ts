import { readFile } from 'node:fs/promises';
import { readExecutions } from '../audit/verify/executions.ts';

/** One recorded execution of a workflow. */
export interface RecordedHistory {
  readonly workflowId: string;
  readonly events: readonly RecordedEvent[];
}

/** A history event as protobuf JSON; only the fields used here. */
export interface RecordedEvent {
  readonly eventId?: string | number;
  readonly eventType?: string;
  readonly [field: string]: unknown;
}

/** The file contains no history; the message says what was found instead. */
export class HistoryError extends Error {
  override readonly name = 'HistoryError';
}

const isEvents = (value: unknown): value is RecordedEvent[] =>
  Array.isArray(value) && value.length > 0;

/** The first event names the workflow if the recording does not. */
const workflowIdOf = (events: readonly RecordedEvent[]): string | undefined => {
  const started = events[0]?.['workflowExecutionStartedEventAttributes'];
  const id = (started as { workflowId?: unknown } | undefined)?.workflowId;
  return typeof id === 'string' ? id : undefined;
};

const isFirst = (event: RecordedEvent): boolean => Number(event.eventId) === 1;

/** A run's log: each execution in full, including what a reset copied. */
async function readLog(file: string): Promise<RecordedHistory[]> {
  const executions = await readExecutions(file, (event) => event as RecordedEvent);
  return [...executions.values()]
    .map((events) => [...events].toSorted(([a], [b]) => a - b).map(([, event]) => event))
    .filter((events) => events.length > 0)
    .map((events) => ({ workflowId: workflowIdOf(events) ?? file, events }));
}

/** One record per line; each execution starts at event 1. */
const parseLog = (file: string, text: string): RecordedHistory[] => {
  const executions: RecordedEvent[][] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    let record: { event?: unknown };
    try {
      record = JSON.parse(line) as { event?: unknown };
    } catch (error) {
      throw new HistoryError(`${file}, line ${index + 1}: ${(error as Error).message}.`);
    }
    if (typeof record.event !== 'object' || record.event === null) continue;
    const event = record.event as RecordedEvent;
    if (isFirst(event)) executions.push([]);
    const current = executions.at(-1);
    if (current === undefined) {
      throw new HistoryError(`${file}, line ${index + 1}: event ${event.eventId} before event 1.`);
    }
    current.push(event);
  }
  return executions.map((events) => ({ workflowId: workflowIdOf(events) ?? file, events }));
};

/**
 * Reads a history: Temporal's own JSON, or a run's log with one record per line, which contains one history per
 * execution. @throws HistoryError if there is none.
 */
export async function readHistories(file: string): Promise<readonly RecordedHistory[]> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new HistoryError(`${file} cannot be read: ${error.code ?? error.message}.`);
  });
  if (file.endsWith('.jsonl')) {
    const isReset = text.includes('"reason":"reset"');
    const histories = isReset ? await readLog(file) : parseLog(file, text);
    if (histories.length > 0) return histories;
  } else {
    let whole: { events?: unknown };
    try {
      whole = JSON.parse(text) as { events?: unknown };
    } catch (error) {
      throw new HistoryError(`${file} is not JSON: ${(error as Error).message}.`);
    }
    if (isEvents(whole.events)) {
      return [{ workflowId: workflowIdOf(whole.events) ?? file, events: whole.events }];
    }
  }
  throw new HistoryError(`${file} holds no history: no events were found in it.`);
}

const completedTask = /^(EVENT_TYPE_WORKFLOW_TASK_COMPLETED|WorkflowTaskCompleted)$/;

/** The history cut after each completed workflow task, shortest first; the complete one is last. */
export function toPrefixes(history: RecordedHistory): readonly RecordedHistory[] {
  const cuts = history.events.flatMap((event, index) =>
    completedTask.test(event.eventType ?? '') ? [index + 1] : [],
  );
  const prefixes = cuts.map((end) => ({ ...history, events: history.events.slice(0, end) }));
  return cuts.at(-1) === history.events.length ? prefixes : [...prefixes, history];
}
