import type { RunResult } from './contract.ts';
import { exitCodes } from './contract.ts';
import { RunEnd } from './failures.ts';
import { enter } from './show.ts';
import type { Run } from './state.ts';

/** Looks at the workspace once; a run that was carried over has looked already. */
export async function openRun(run: Run): Promise<void> {
  const { state, input } = run;
  if (state.facts !== undefined) return;
  enter(run, { phase: 'opening' });
  const opened = await run.activities.folder.openWorkspace.executeWithOptions(
    { summary: 'look at the workspace' },
    [{ run: input.run, workspace: input.workspace }],
  );
  if (!opened.ok) throw new RunEnd('failed', opened.reason);
  state.facts = opened.facts;
  state.policyLimits = opened.limits;
}

/** Stores the report and gives the run its typed result. */
export async function closeRun(run: Run, { status, message }: RunEnd): Promise<RunResult> {
  const { state, input } = run;
  const summary = message.slice(0, 2_000);
  enter(run, { phase: 'closing' });
  const closed = await run.activities.folder.closeRun.executeWithOptions(
    { summary: `store the report: ${status}` },
    [
      {
        run: input.run,
        workspace: input.workspace,
        status,
        summary,
        ...(state.evidence === undefined ? {} : { evidence: state.evidence }),
      },
    ],
  );
  const result: RunResult = {
    status,
    exitCode: exitCodes[status],
    summary,
    usage: { ...state.usage },
    changes: closed.changes,
    report: closed.report,
  };
  enter(run, { phase: 'closed', result });
  return result;
}
