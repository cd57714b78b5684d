/** Compares the mirror with Temporal: refetches a run's whole chain of executions and compares event by event. */
import { readChain } from '../record/chain.ts';
import { hashEvent } from '../mirror/cursor.ts';
import { readExecutions } from './executions.ts';
import { attributesOf, nextExecution } from '../mirror/history-json.ts';
import type { HistoryEventJson } from '../mirror/history-json.ts';
import { toReset } from './origin.ts';

/** `missing` from the mirror, `extra` in it, or `different`. */
export interface Discrepancy {
  readonly kind: 'missing' | 'extra' | 'different';
  readonly execution: string;
  readonly event: number;
  /** Event type in Temporal; in the mirror, if Temporal lacks the event. */
  readonly type: string;
}

export interface Reconciliation {
  readonly executions: number;
  /** Number of events present in both and compared. */
  readonly compared: number;
  readonly findings: readonly Discrepancy[];
  /** What could not be compared and why; not findings. */
  readonly notes: readonly string[];
}

export interface ReconcileRun {
  /** The run's mirror file. */
  readonly file: string;
  /** An execution's history in pages (without an id, the latest one's), or undefined if Temporal does not have it. */
  readonly readHistory: (
    execution?: string,
  ) => Promise<AsyncIterable<readonly HistoryEventJson[]> | undefined>;
}

interface Kept {
  readonly hash: string;
  readonly type: string;
}

const toType = ({ eventType }: HistoryEventJson): string => eventType.replace('EVENT_TYPE_', '');
const toKept = (event: HistoryEventJson): Kept => ({ hash: hashEvent(event), type: toType(event) });

interface Fetched {
  readonly events: ReadonlyMap<number, Kept>;
  /** Executions it names: the run's first, its predecessor, its successors. */
  readonly named: readonly string[];
}

/** An execution in Temporal, restricted to durable events like the mirror. */
async function fetchExecution(
  pages: AsyncIterable<readonly HistoryEventJson[]>,
): Promise<Fetched & { readonly self: string | undefined }> {
  const events = new Map<number, Kept>();
  const named = new Set<string>();
  let self: string | undefined;
  let numbered: boolean | undefined;
  for await (const page of pages) {
    for (const event of page) {
      const isNumbered = Number(event.taskId ?? 0) > 0;
      numbered ??= isNumbered;
      if (numbered && !isNumbered) continue;
      events.set(Number(event.eventId), toKept(event));
      const reset = toReset(event);
      const next = nextExecution(event);
      if (event.eventId === '1') {
        const start = attributesOf(event) as Record<string, string | undefined>;
        self = start['originalExecutionRunId'];
        for (const id of [start['firstExecutionRunId'], start['continuedExecutionRunId'], self])
          if (id) named.add(id);
      }
      if (reset !== undefined) {
        self = reset.to;
        named.add(reset.base).add(reset.to);
      } else if (next !== undefined) named.add(next);
    }
  }
  return { events, named: [...named], self };
}

/** What the mirror says of itself: whether it is complete, and which executions have known holes. */
async function readState(file: string): Promise<{ closed: boolean; gaps: Map<string, number> }> {
  let closed = false;
  const gaps = new Map<string, number>();
  for await (const { kind, execution, from } of readChain(file)) {
    if (kind !== 'repair') closed = kind === 'close';
    if (kind === 'gap') gaps.set(String(execution), Number(from));
  }
  return { closed, gaps };
}

/** Compares the mirror with Temporal; an open run only as far as the mirror has come. Changes nothing. */
export async function reconcileRun({ file, readHistory }: ReconcileRun): Promise<Reconciliation> {
  const mirrored = await readExecutions(file, toKept);
  const { closed, gaps } = await readState(file);
  const findings: Discrepancy[] = [];
  const notes: string[] = [];
  let compared = 0;

  const compare = (execution: string, { events }: Fetched): void => {
    const mine = mirrored.get(execution) ?? new Map<number, Kept>();
    const last = [...mine.keys()].at(-1) ?? 0;
    let behind = 0;
    for (const [event, { hash, type }] of events) {
      const kept = mine.get(event);
      if (kept !== undefined) {
        compared++;
        if (kept.hash !== hash) findings.push({ kind: 'different', execution, event, type });
      } else if (closed || event < last) {
        findings.push({ kind: 'missing', execution, event, type });
      } else behind++;
    }
    for (const [event, { type }] of mine) {
      if (!events.has(event)) findings.push({ kind: 'extra', execution, event, type });
    }
    if (behind > 0) {
      notes.push(
        `The mirror is ${behind} events behind in execution ${execution}: the run is open.`,
      );
    }
  };

  const seen = new Set<string>();
  const latest = await readHistory();
  const queue = [...mirrored.keys()];
  if (latest === undefined) {
    notes.push(
      'Temporal no longer has this run: its history was deleted, or its retention is over.',
    );
  } else {
    const { self, ...fetched } = await fetchExecution(latest);
    if (self !== undefined) {
      seen.add(self);
      compare(self, fetched);
      queue.push(...fetched.named);
    }
  }
  for (let execution = queue.shift(); execution !== undefined; execution = queue.shift()) {
    if (seen.has(execution)) continue;
    seen.add(execution);
    const pages = latest === undefined ? undefined : await readHistory(execution);
    const kept = mirrored.get(execution)?.size ?? 0;
    if (pages === undefined) {
      notes.push(
        `Temporal no longer has execution ${execution}: ${kept} events of the mirror are not compared.`,
      );
      continue;
    }
    const fetched = await fetchExecution(pages);
    compare(execution, fetched);
    queue.push(...fetched.named);
  }
  for (const [execution, from] of gaps) {
    notes.push(
      `The mirror says itself that execution ${execution} has a gap from event ${from} on.`,
    );
  }
  return { executions: seen.size, compared, findings, notes };
}
