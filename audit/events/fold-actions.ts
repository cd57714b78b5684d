/** Events about actions: requested, decided, executed, or answered by a person. */
import type { ActRequest, ActResult } from '../../activities/contract/act.ts';
import type { EnsureRequest, EnsureResult } from '../../activities/contract/workspace.ts';
import type { ApprovalAnswer } from '../../workflows/contract.ts';
import type { ApprovalQuestion } from '../../workflows/questions.ts';
import { nextRequest, toDriftQuestion, toQuestion } from '../../workflows/questions.ts';
import { countAction } from '../../workflows/usage.ts';
import type { ProjectionState } from './projection-state.ts';
import type { RunEventBody } from './run-event.ts';

export const toCall = ({ step, seq, call: { tool }, hook }: ActRequest) => ({
  step,
  call: seq,
  tool,
  hook,
});

export function foldAct(
  state: ProjectionState,
  asked: ActRequest,
  result: ActResult,
): RunEventBody[] {
  const { call, seq, hook } = asked;
  const of = toCall(asked);
  const { verdict, rule, reason, policy, observation, head, bytes, ok, exitCode, ms } = result;
  const decision: RunEventBody = { type: 'decision', ...of, verdict, rule, reason, policy };
  if (verdict === 'ask')
    return [decision, toRequested(state, { ...of, ...toQuestion(asked, result) })];
  state.requested.delete(seq);
  // The budgets for calls and output are the model's.
  if (hook === undefined) countAction(state.usage, call.tool, result);
  else state.usage.workMs += ms;
  // What actually ran: a person may have changed it.
  const { preview = call.preview, suspicious, left } = result;
  const ran: RunEventBody[] = verdict === 'allow' ? [{ type: 'tool.started', ...of }] : [];
  return [
    decision,
    ...ran,
    { type: 'tool.output', ...of, text: head, bytes, observation: observation ?? '' },
    { type: 'tool.finished', ...of, preview, ok, ms, exitCode, suspicious, left },
    { type: 'budget', usage: { ...state.usage } },
  ];
}

const toRequested = (
  state: ProjectionState,
  question: ApprovalQuestion & { readonly call: number },
): RunEventBody => ({ type: 'approval.requested', request: nextRequest(state), ...question });

export function foldDrift(
  state: ProjectionState,
  { checkpoint, rewind }: EnsureRequest,
  result: EnsureResult,
): RunEventBody[] {
  const { drift = [], done } = result;
  if (rewind || drift.length === 0 || done === undefined) return [];
  const changed: RunEventBody = { type: 'workspace.drift', paths: drift, done };
  if (done !== 'ask') return [changed];
  const question = toDriftQuestion(checkpoint?.step ?? '', result);
  return [changed, toRequested(state, { ...question, call: 0 })];
}

export function foldFailure(request: ActRequest, failure: string): RunEventBody[] {
  const { call } = request;
  const of = toCall(request);
  const text = failure || 'The action did not finish.';
  const bytes = Buffer.byteLength(text);
  return [
    { type: 'tool.output', ...of, text: text.slice(0, 200), bytes, observation: '' },
    { type: 'tool.finished', ...of, preview: call.preview, ok: false, ms: 0 },
  ];
}

export function foldApproval(state: ProjectionState, answer: ApprovalAnswer): RunEventBody[] {
  if (state.answered.has(answer.request)) return [];
  state.answered.add(answer.request);
  const { request, by, reason, edited } = answer;
  return [{ type: 'approval.answered', request, answer: answer.answer, by, reason, edited }];
}
