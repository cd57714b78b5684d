import type { ActResult } from '../activities/contract/act.ts';
import type { Approval, Settlement } from '../activities/contract/approval.ts';
import type { Call } from '../activities/contract/refs.ts';
import type { Untrusted } from '../policies/untrusted/untrusted.ts';
import { toSettlement, waitForAnswer } from './approvals.ts';
import { toQuestion } from './questions.ts';
import { enter } from './show.ts';
import type { Run } from './live-run.ts';
import { noteResult } from './state.ts';

/** One call of a step, or of a hook beside it. */
interface Order {
  readonly step: string;
  readonly call: Call;
  readonly hook?: string;
  /** Untrusted text in the conversation requesting it. */
  readonly untrusted?: Untrusted;
  /** File version the approval was given for. */
  readonly against?: string;
}

interface Performed {
  readonly result: ActResult;
  /** The answer it got. */
  readonly approval?: Approval;
}

/** Runs one call: decided, approved if the policy asks, executed, and appended to the evidence. */
export async function perform(run: Run, asked: Order): Promise<Performed> {
  const { state, worktree } = run;
  state.actions += 1;
  let approval: Approval | undefined;
  let against: string | undefined;
  const order = { ...asked, seq: state.actions };
  let result = await tryAct(run, order);
  // The digest may have changed between question and answer; then ask about the new action.
  while (result.verdict === 'ask') {
    const answer = await waitForAnswer(run, toQuestion(asked, result));
    // The approval stands while an unknown outcome is resolved or a change is reviewed.
    const isAction = result.unknown === undefined && result.change === undefined;
    if (isAction) [approval, against] = [answer, result.against];
    const settled =
      result.unknown === undefined || answer === undefined ? undefined : toSettlement(answer);
    const change = result.change === undefined ? undefined : answer;
    const bound = against === undefined ? order : { ...order, against };
    result = await tryAct(run, bound, { approval, settled, change });
  }
  noteResult(worktree.state, result);
  state.policyLimits = result.limits;
  return { result, approval };
}

interface Answers {
  readonly approval?: Approval | undefined;
  readonly settled?: Settlement | undefined;
  /** The answer about a change that is held back. */
  readonly change?: Approval | undefined;
}

async function tryAct(
  run: Run,
  { step, call, seq, ...more }: Order & { readonly seq: number },
  { approval, settled, change }: Answers = {},
): Promise<ActResult> {
  const { input, state, worktree } = run;
  // The person's version is in a blob, which workflow code does not read.
  const preview =
    approval?.edited === undefined ? call.preview : `with the arguments ${approval.by} wrote`;
  enter(run, { phase: 'acting', step, tool: call.tool, preview });
  return await run.activities.workspaceLong.act.executeWithOptions(
    { summary: `${call.tool} ${preview}`.slice(0, 200) },
    [
      {
        run: input.run,
        step,
        seq,
        workspace: worktree.path,
        call,
        ...more,
        approval,
        settled,
        change,
        previous: worktree.state.evidence,
        tree: worktree.state.tree,
        head: state.head,
      },
    ],
  );
}
