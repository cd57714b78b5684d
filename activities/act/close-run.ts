/** Ends a run in its folder: lists changes, writes the report, releases the folder. */
import { Context } from '@temporalio/activity';
import { realpathSync } from 'node:fs';
import type { AuditLog } from '../../audit/record/log.ts';
import type { Observation } from '../contract/act.ts';
import type { CloseRequest, CloseResult } from '../contract/workspace.ts';
import { readEvidence } from '../evidence.ts';
import { removeLanes } from './lanes.ts';
import type { Transactions } from './transactions.ts';
import type { WorkspaceDependencies } from './workspace.ts';

const maxTries = 3;
const maxChanges = 50;
const maxLeft = 20;

/** The run has ended: anything unreadable is left out of its report and never keeps it open. */
export async function closeRun(
  dependencies: WorkspaceDependencies,
  request: CloseRequest,
): Promise<CloseResult> {
  const { run, status, summary, evidence, trees } = request;
  const { audit, blobs, transactions } = dependencies;
  const actions = await orElse([], () => readEvidence(blobs, evidence));
  const told = [...new Set(actions.flatMap(({ changed }) => changed))].toSorted();
  const nothing: Changes = { changes: told, ignored: [], left: [] };
  const found = await orElse(nothing, async () =>
    trees === undefined ? nothing : await findChanges(transactions, request, trees),
  );
  const { changes, ignored, left } = found;
  const report = await blobs.putJson({
    v: 1,
    run,
    status,
    summary,
    changes,
    ignored,
    left,
    trees,
    actions: actions.map(toReported),
  });
  await orElse(undefined, () => removeLanes(dependencies, run));
  await logEnd(audit, request);
  await transactions.leases.release(run);
  return {
    report,
    changes: changes.slice(0, maxChanges),
    ignored: ignored.length === 0 ? undefined : ignored.length,
    left: left.length === 0 ? undefined : left.slice(0, maxLeft),
  };
}

type Changes = Readonly<Record<'changes' | 'ignored' | 'left', readonly string[]>>;

/** What differs on disk. */
const findChanges = (
  transactions: Transactions,
  { run, workspace }: CloseRequest,
  { before, after }: NonNullable<CloseRequest['trees']>,
): Promise<Changes> =>
  transactions.exclusive(toRoot(workspace), run, async ({ snapshots }) => {
    const { changes, ignored } = await snapshots.sortChanges(before, after);
    return {
      changes: listPaths(changes),
      ignored: listPaths(ignored),
      left: listPaths(await snapshots.findTouched(before, after)),
    };
  });

const listPaths = (found: readonly { readonly path: string }[]): string[] =>
  found.map(({ path }) => path).toSorted();

/** Free of links, whether or not the folder still exists. */
function toRoot(workspace: string): string {
  try {
    return realpathSync(workspace);
  } catch {
    return workspace;
  }
}

async function logEnd(
  audit: AuditLog,
  { run, status, summary, limit }: CloseRequest,
): Promise<void> {
  const isAgain = Context.current().info.attempt > 1;
  if (isAgain && (await audit.has({ kind: 'end', run }))) return;
  await audit.append({
    kind: 'end',
    time: new Date().toISOString(),
    run,
    status,
    why: summary.split('\n', 1)[0]?.slice(0, 300) ?? '',
    limit,
  });
}

/** Falls back to `instead` on the third failure; waits for a full disk. */
async function orElse<T>(instead: T, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (Context.current().info.attempt < maxTries || ['ENOSPC', 'EDQUOT'].includes(code))
      throw error;
    return instead;
  }
}

const reported = [
  ...(['seq', 'step', 'tool', 'preview', 'verdict', 'rule', 'ok', 'exitCode', 'ms'] as const),
  ...(['changed', 'time', 'whole'] as const),
];

/** Texts stay in their blobs; the report lists what was done. */
const toReported = (observation: Observation) =>
  Object.fromEntries(reported.map((name) => [name, observation[name]]));
