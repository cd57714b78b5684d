import type { ActResult } from '../activities/contract/act.ts';
import type { Approval } from '../activities/contract/approval.ts';
import type { Untrusted } from '../policies/untrusted/untrusted.ts';
import type { Run } from './live-run.ts';
import type { StepRecord } from './state.ts';

/** The untrusted text an action is judged by: in the step's conversation, or at the start of every conversation. */
export const untrustedBefore = ({ state }: Run, step: StepRecord): Untrusted | undefined =>
  step.untrusted ?? state.untrusted;

/**
 * Records what the step has read. The first source stays named until a person approves an action in sight of it: from
 * then on they know. A standing order does not count, because nobody has seen anything.
 */
export function noteUntrusted(
  { input, state }: Run,
  step: StepRecord,
  result: ActResult,
  approval: Approval | undefined,
): void {
  const isSeen =
    result.verdict === 'allow' && result.rule === steppedUp && approval?.answer === 'approve';
  if (isSeen && input.approve === 'ask') {
    delete step.untrusted;
    delete state.untrusted;
  }
  const { untrusted } = result;
  if (untrusted === undefined) return;
  const before = step.untrusted;
  // Text that tries to give orders outranks text that is merely from outside.
  if (before === undefined || (before.kinds.length === 0 && untrusted.kinds.length > 0))
    step.untrusted = untrusted;
}

/** The rule of decisions that ask because of untrusted text: see policies/untrusted/untrusted.ts. */
const steppedUp = 'untrusted.stepped-up';
