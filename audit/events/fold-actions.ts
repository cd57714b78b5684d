/** Events that tell of actions: asked for, decided, carried out, or found undone by a person. */
import type { ActRequest, ActResult } from '../../activities/contract/act.ts';
import type { EnsureRequest, EnsureResult } from '../../activities/contract/workspace.ts';
import type { ApprovalAnswer } from '../../workflows/contract.ts';
import { countAction } from '../../workflows/usage.ts';
import { decodeFailure } from '../mirror/history-json.ts';
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
  const { verdict, rule, reason, policy, digest, observation, head, bytes, ok, exitCode, ms } =
    result;
  const decision: RunEventBody = { type: 'decision', ...of, verdict, rule, reason, policy };
  if (verdict === 'ask') {
    state.asks += 1;
    const request = `a${state.asks}`;
    return [
      decision,
      {
        type: 'approval.requested',
        ...of,
        request,
        preview: call.preview,
        rule,
        reason,
        digest,
        kind: result.change ? 'change' : result.unknown && 'unknown',
        details: result.details,
        refused: result.refused,
      },
    ];
  }
  state.requested.delete(seq);
  // The budget of calls and output is the model's.
  if (hook === undefined) countAction(state.usage, call.tool, result);
  else state.usage.workMs += ms;
  // What ran, and not what was asked for: a person may have changed it.
  const { preview = call.preview } = result;
  const exit = exitCode === undefined ? {} : { exitCode };
  const { suspicious: places } = result;
  const suspicious = places === undefined ? {} : { suspicious: places };
  const left = result.left === undefined ? {} : { left: result.left };
  const ran: RunEventBody[] = verdict === 'allow' ? [{ type: 'tool.started', ...of }] : [];
  return [
    decision,
    ...ran,
    { type: 'tool.output', ...of, text: head, bytes, observation: observation ?? '' },
    { type: 'tool.finished', ...of, preview, ok, ms, ...exit, ...suspicious, ...left },
    { type: 'budget', usage: { ...state.usage } },
  ];
}

export function foldDrift(
  state: ProjectionState,
  { checkpoint, rewind }: EnsureRequest,
  { drift, done, tree, refused }: EnsureResult,
): RunEventBody[] {
  if (rewind) return [];
  if (drift === undefined || drift.length === 0 || done === undefined) return [];
  const changed: RunEventBody = { type: 'workspace.drift', paths: drift, done };
  if (done !== 'ask') return [changed];
  state.asks += 1;
  const preview = `changed since the last step: ${drift.join(', ')}`.slice(0, 160);
  const reason = 'Approve to keep these changes, deny to revert them.';
  return [
    changed,
    {
      type: 'approval.requested',
      kind: 'drift',
      request: `a${state.asks}`,
      step: checkpoint?.step ?? '',
      call: 0,
      tool: 'workspace',
      preview,
      rule: 'workspace.drift',
      reason,
      digest: tree,
      refused,
    },
  ];
}

export function foldFailure(request: ActRequest, failure: object): RunEventBody[] {
  const { call } = request;
  const of = toCall(request);
  const text = decodeFailure(failure) || 'The action did not finish.';
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
