/** The executions in a run's log: how one continued in another, and what a reset kept of its base. */
import { open } from 'node:fs/promises';

import { readChain } from '../record/chain.ts';
import type { HistoryEventJson } from '../mirror/history-json.ts';
import { readLines } from '../record/scan.ts';

/** How one execution continued in another. A reset copies its base's events up to `baseId`; the log has them once. */
export interface LinkFacts {
  readonly from: string;
  readonly to: string;
  readonly reason?: 'reset';
  readonly base?: string;
  readonly baseId?: number;
  /** sha256 of the canonical event `baseId`. */
  readonly baseHash?: string;
}

async function readLinks(file: string): Promise<LinkFacts[]> {
  const links: LinkFacts[] = [];
  const handle = await open(file, 'r');
  try {
    for await (const { complete } of readLines(handle, 0)) {
      for (const line of complete) {
        if (!line.includes('"kind":"link"')) continue;
        const record = JSON.parse(line.toString('utf8')) as LinkFacts & { kind?: unknown };
        if (record.kind === 'link') links.push(record);
      }
    }
  } finally {
    await handle.close();
  }
  return links;
}

/**
 * Every execution in the log with all its events, including those copied by a reset; `take` says what to keep of each.
 */
export async function readExecutions<T>(
  file: string,
  take: (event: HistoryEventJson) => T,
): Promise<Map<string, Map<number, T>>> {
  const executions = new Map<string, Map<number, T>>();
  for await (const record of readChain(file)) {
    if (record['kind'] === 'link') {
      const { to, base = '', baseId = 0 } = record as unknown as LinkFacts;
      const copied = [...(executions.get(base) ?? [])].filter(([id]) => id <= baseId);
      executions.set(to, new Map(copied));
    }
    if (record['kind'] !== 'event') continue;
    const execution = String(record['execution']);
    const events = executions.get(execution) ?? new Map<number, T>();
    executions.set(execution, events);
    events.set(Number(record['id']), take(record['event'] as HistoryEventJson));
  }
  return executions;
}

interface Stretch {
  readonly execution: string;
  readonly upTo: number;
  /** The next stretch continues the same numbering: it is a reset of this one. */
  readonly copied: boolean;
}

const whole = (execution: string): Stretch => ({ execution, upTo: Infinity, copied: false });

/** The stretches without anything after event `id` of the last execution. */
const cutAfter = (stretches: readonly Stretch[], id: number): Stretch[] => {
  const cut = [...stretches];
  for (let at = cut.length - 1; at >= 0; at--) {
    const stretch = cut[at];
    if (stretch === undefined || (at < cut.length - 1 && !stretch.copied)) break;
    cut[at] = { ...stretch, upTo: Math.min(stretch.upTo, id), copied: true };
  }
  return cut;
};

/** Whether an event counts: a reset discards what its base did after the reset point. */
async function readCourse(file: string): Promise<(execution: string, id: number) => boolean> {
  const links = await readLinks(file);
  if (links.every(({ reason }) => reason !== 'reset')) return () => true;
  const courses = new Map<string, Stretch[]>();
  const courseOf = (execution: string): Stretch[] => courses.get(execution) ?? [whole(execution)];
  for (const { from, to, reason, base = '', baseId = 0 } of links) {
    const before = reason === 'reset' ? cutAfter(courseOf(base), baseId) : courseOf(from);
    courses.set(to, [...before, whole(to)]);
  }
  const counted = new Map(
    courseOf(links.at(-1)?.to ?? '').map(({ execution, upTo }) => [execution, upTo]),
  );
  return (execution, id) => id <= (counted.get(execution) ?? 0);
}

/** The run's current history, in order, without what resets discarded. */
export async function* readCurrentHistory(file: string): AsyncGenerator<HistoryEventJson> {
  const counts = await readCourse(file);
  for await (const record of readChain(file)) {
    if (record['kind'] !== 'event') continue;
    if (counts(String(record['execution']), Number(record['id']))) {
      yield record['event'] as HistoryEventJson;
    }
  }
}
