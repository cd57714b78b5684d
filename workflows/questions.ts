/** Questions to people and their numbering: the same in the run and in its events. Pure. */
import type { ActResult } from '../activities/contract/act.ts';
import type { Call } from '../activities/contract/refs.ts';
import type { EnsureResult } from '../activities/contract/workspace.ts';
import type { ApprovalRequest } from './contract.ts';

/** An approval request without its number. */
export type ApprovalQuestion = Omit<ApprovalRequest, 'id'>;

/** Numbers an approval request. */
export function nextRequest(counts: { asks: number }): string {
  counts.asks += 1;
  return `a${counts.asks}`;
}

/** Numbers a question of a model. */
export function nextQuestion(counts: { questions: number }): string {
  counts.questions += 1;
  return `q${counts.questions}`;
}

/** What a person is asked about an action that needs them. */
export const toQuestion = (
  { step, call }: { readonly step: string; readonly call: Call },
  { rule, reason, digest, unknown, change, details, refused }: ActResult,
): ApprovalQuestion => ({
  kind: change ? 'change' : unknown && 'unknown',
  step,
  tool: call.tool,
  preview: call.preview,
  rule,
  reason,
  digest,
  details,
  refused,
});

/** The same for files changed between two steps. */
export const toDriftQuestion = (
  step: string,
  { drift = [], tree, refused }: EnsureResult,
): ApprovalQuestion => ({
  kind: 'drift',
  step,
  tool: 'workspace',
  preview: `changed since the last step: ${drift.join(', ')}`.slice(0, 160),
  rule: 'workspace.drift',
  reason:
    'Files were changed outside the run between two steps. Approve to keep these changes, deny to revert them.',
  digest: tree,
  refused,
});
