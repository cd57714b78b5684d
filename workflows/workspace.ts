import { ActivityFailure, patched, rootCause, sleep } from '@temporalio/workflow';
import type { OpenRequest } from '../activities/contract/workspace.ts';
import type { RunInput, RunResult } from './contract.ts';
import { exitCodes } from './contract.ts';
import { RunEnd } from './failures.ts';
import { endHooks } from './hooks.ts';
import { endStage } from './promotion.ts';
import { enter } from './show.ts';
import type { Run } from './live-run.ts';

const firstWaitMs = 1_000;
const maxWaitMs = 30_000;

/** Opens the workspace once; a continued run has already done so. */
export async function openRun(run: Run): Promise<void> {
  const { state, input } = run;
  const isNew = state.facts === undefined || (input.from !== undefined && !state.arrived);
  if (!isNew) return;
  enter(run, { phase: 'opening' });
  const lease = patched('snapshots') ? { lease: true as const } : {};
  const { stagedFrom } = input;
  const stage = stagedFrom === undefined ? {} : { stagedFrom };
  for (let waits = 0; ; waits++) {
    const opened = await run.activities.workspaceQuick.openWorkspace.executeWithOptions(
      { summary: 'look at the workspace' },
      [{ run: input.run, workspace: input.workspace, ...lease, ...toOrigin(input), ...stage }],
    );
    if (opened.ok) {
      state.facts = opened.facts;
      state.policyLimits = opened.limits;
      if (opened.prices !== undefined) state.prices = opened.prices;
      if (opened.without !== undefined) state.without = [...opened.without];
      if (opened.untrusted !== undefined) state.untrusted = opened.untrusted;
      if (opened.head !== undefined) state.head ??= opened.head;
      if (opened.tree === undefined) return;
      // A staged run promotes everything since the copy was made, including its predecessor's work.
      if (stagedFrom === undefined || state.base === undefined) state.base = opened.tree;
      state.tree = opened.tree;
      // The original run's hooks stay: later changes must not influence them.
      if (opened.hooks !== undefined) state.hooks ??= opened.hooks;
      if (opened.parallelSteps !== undefined) state.parallel = opened.parallelSteps;
      if (input.from !== undefined) state.arrived = true;
      return;
    }
    if (opened.busy === undefined) throw new RunEnd('failed', opened.reason);
    if (input.wait === undefined) throw new RunEnd('unavailable', opened.reason);
    enter(run, { phase: 'waiting-for-workspace', run: opened.busy });
    await sleep(Math.min(firstWaitMs * 2 ** Math.min(waits, 10), maxWaitMs));
  }
}

const toOrigin = ({ from }: RunInput): Pick<OpenRequest, 'from'> =>
  from?.tree === undefined ? {} : { from: { workspace: from.workspace, tree: from.tree } };

/** A forked or restored run that never got its workspace: its snapshots are another run's. */
const isElsewhere = ({ input, state }: Run): boolean => input.from !== undefined && !state.arrived;

/** Stores the report and gives the run its typed result. */
export async function closeRun(run: Run, { status, message, limit }: RunEnd): Promise<RunResult> {
  const { state } = run;
  const summary = message.slice(0, 2_000);
  enter(run, { phase: 'closing' });
  const closed = await storeReport(run, { status, summary, limit });
  const hooks = endHooks(run);
  const staged = await endStage(run, status, hooks);
  const result: RunResult = {
    status,
    exitCode: exitCodes[status],
    summary: closed.problem === undefined ? summary : `${summary}\n\n${closed.problem}`,
    usage: { ...state.usage },
    changes: closed.changes,
    ignored: closed.ignored,
    left: closed.left,
    report: closed.report === '' ? undefined : closed.report,
    hooks,
    staged,
    limit,
  };
  enter(run, { phase: 'closed', result });
  return result;
}

/** The result of a run that workers refuse: nothing is touched, and what it holds stays. */
export function endRefused(run: Run, { status, message, limit }: RunEnd): RunResult {
  const isHolding = run.state.facts !== undefined;
  const remedy = `To free its folder and remove its copies: agent cancel ${run.input.run} --force`;
  const summary = isHolding ? `${message.slice(0, 1_900)}\n\n${remedy}` : message.slice(0, 2_000);
  const result: RunResult = {
    status,
    exitCode: exitCodes[status],
    summary,
    changes: [],
    usage: { ...run.state.usage },
    limit,
  };
  enter(run, { phase: 'closed', result });
  return result;
}

interface Closed {
  readonly changes: readonly string[];
  readonly ignored?: number;
  readonly left?: readonly string[];
  /** Empty if it could not be stored. */
  readonly report: string;
  readonly problem?: string;
}

/** A run ends typed even if nothing can be read or written any more: then without a report, and it says so. */
async function storeReport(
  run: Run,
  { status, summary, limit }: Pick<RunEnd, 'status' | 'limit'> & { readonly summary: string },
): Promise<Closed> {
  const { state, input } = run;
  try {
    return await run.activities.workspaceQuick.closeRun.executeWithOptions(
      { summary: `store the report: ${status}` },
      [
        {
          run: input.run,
          workspace: input.workspace,
          status,
          summary,
          limit,
          evidence: state.evidence,
          trees:
            state.base === undefined || state.tree === undefined || isElsewhere(run)
              ? undefined
              : { before: state.base, after: state.tree },
        },
      ],
    );
  } catch (error) {
    if (!(error instanceof ActivityFailure) || !patched('ends-without-a-report')) throw error;
    const why = rootCause(error) ?? error.message;
    return { changes: [], report: '', problem: `No report could be stored: ${why}`.slice(0, 600) };
  }
}
