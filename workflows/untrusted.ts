import type { ActResult } from '../activities/contract/act.ts';
import type { Approval } from '../activities/contract/approval.ts';
import type { Untrusted } from '../policies/untrusted/untrusted.ts';
import type { Run } from './live-run.ts';
import type { StepRecord } from './state.ts';

/** The untrusted text an action of the step is judged by: what its conversation holds, or what every conversation begins with. */
export const untrustedBefore = ({ state }: Run, step: StepRecord): Untrusted | undefined =>
  step.untrusted ?? state.untrusted;

/**
 * Notes what the step has read. What was seen first stays named until a person has approved an action in sight of it: from then
 * on they know. A standing order is nobody who has seen anything.
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
  // What tries to give orders is told before what is only from outside.
  if (before === undefined || (before.kinds.length === 0 && untrusted.kinds.length > 0))
    step.untrusted = untrusted;
}

/** The rule of decisions that are asked about for what was read: see policies/untrusted/untrusted.ts. */
const steppedUp = 'untrusted.stepped-up';
