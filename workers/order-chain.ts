/**
 * Whether an execution may continue what others in its chain began. Anyone who reaches Temporal can reset a terminated
 * or timed-out run; what a worker last saw of it tells how it ended (docs/decisions/0023).
 */
import type { OrderLedger } from '../audit/record/keys/order-ledger.ts';
import { readEvent } from './execution-events.ts';
import type { StartAttributes, StartService } from './execution-events.ts';

export interface ChainDependencies {
  readonly service: StartService;
  readonly namespace: string;
  readonly ledger: Pick<OrderLedger, 'readSeen'>;
}

interface Started {
  readonly workflowId: string;
  readonly runId: string;
  readonly start: StartAttributes;
}

/** Identity that ends an execution when a reset replaces it. */
const resetter = 'history-resetter';
/** HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT */
const closeEvent = 2;

/**
 * Why an execution may not continue, as a sentence; undefined if it may. @throws the server's error if it cannot be
 * asked.
 */
export async function findEndBefore(
  dependencies: ChainDependencies,
  execution: Started,
  nonce: string,
): Promise<string | undefined> {
  const seen = dependencies.ledger.readSeen(nonce);
  const last = seen.at(-1);
  if (last === undefined || seen.includes(execution.runId)) return undefined;
  let at: Started | undefined = execution;
  while (at !== undefined && !isReset(at)) {
    const from: string = at.start.continuedExecutionRunId ?? '';
    if (from === '' || seen.includes(from)) return undefined;
    at = await readStart(dependencies, { ...execution, runId: from });
  }
  return at !== undefined && (await isResetOpen(dependencies, { ...execution, runId: last }))
    ? undefined
    : 'the run had ended before it was reset; continue from one of its steps: agent fork';
}

const isReset = ({ runId, start: { originalExecutionRunId: original } }: Started): boolean =>
  Boolean(original) && original !== runId;

async function readStart(
  dependencies: ChainDependencies,
  execution: Omit<Started, 'start'>,
): Promise<Started | undefined> {
  const event = await readEvent(dependencies, execution);
  const start = event?.workflowExecutionStartedEventAttributes;
  return start ? { ...execution, start } : undefined;
}

/** Whether an execution, or its own continuation, was open until a reset ended it. */
async function isResetOpen(
  dependencies: ChainDependencies,
  { workflowId, runId }: Omit<Started, 'start'>,
): Promise<boolean> {
  let at: string | null | undefined = runId;
  while (at) {
    const event = await readEvent(dependencies, { workflowId, runId: at }, closeEvent);
    if (event?.workflowExecutionTerminatedEventAttributes?.identity === resetter) return true;
    at = event?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
  }
  return false;
}
