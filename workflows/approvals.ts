import { condition, setHandler } from '@temporalio/workflow';
import type { ActResult, Approval, Call } from '../activities/contract.ts';
import type { ApprovalAnswer } from './contract.ts';
import { answerApproval } from './contract.ts';
import { enter } from './show.ts';
import type { Run, StepRecord } from './state.ts';

/** Answers come as updates: the validator refuses a stale or wrong one before it leaves any event. */
export function registerApprovals(run: Run): void {
  const take = (answer: ApprovalAnswer): void => {
    const waiting = run.pending.find(({ request }) => request.id === answer.request);
    if (waiting !== undefined) waiting.answer ??= answer;
  };
  setHandler(answerApproval, take, { validator: (answer) => validate(run, answer) });
}

function validate(run: Run, { request, digest, answer }: ApprovalAnswer): void {
  const open = run.pending.filter((entry) => entry.answer === undefined);
  const waiting = open.find((entry) => entry.request.id === request);
  if (waiting === undefined) {
    const others = open.map((entry) => entry.request.id).join(', ');
    throw new Error(
      others === ''
        ? `No approval is waiting in run ${run.input.run}.`
        : `Request ${request} is not waiting in run ${run.input.run}; waiting: ${others}.`,
    );
  }
  if (waiting.request.digest !== digest) {
    throw new Error(
      `Request ${request} is about another action than the one answered. Look again: agent show ${run.input.run}`,
    );
  }
  if (answer !== 'approve' && answer !== 'deny') {
    throw new Error(`An answer is "approve" or "deny", got "${String(answer)}".`);
  }
}

/**
 * Waits for the answer to an `ask`: a person's, or the operator's standing order. There is no expiry: time-out is not rejection.
 */
export async function waitForApproval(
  run: Run,
  step: StepRecord,
  call: Call,
  asked: ActResult,
): Promise<Approval> {
  const { state, input } = run;
  state.asks += 1;
  const id = `a${state.asks}`;
  if (input.approve !== 'ask') {
    const answer = input.approve === 'auto' ? 'approve' : 'deny';
    return {
      request: id,
      digest: asked.digest,
      answer,
      by: `${input.by} (--approve ${input.approve})`,
    };
  }
  const entry: Run['pending'][number] = {
    request: {
      id,
      step: step.id,
      tool: call.tool,
      preview: call.preview,
      rule: asked.rule,
      reason: asked.reason,
      digest: asked.digest,
    },
  };
  run.pending.push(entry);
  enter(run, { phase: 'awaiting-approval', request: entry.request });
  await condition(() => entry.answer !== undefined);
  run.pending.splice(run.pending.indexOf(entry), 1);
  const { answer, by, reason } = entry.answer as ApprovalAnswer;
  return {
    request: id,
    digest: asked.digest,
    answer,
    by,
    ...(reason === undefined ? {} : { reason }),
  };
}
