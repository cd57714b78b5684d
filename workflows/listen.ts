/** A person's message always gets a turn: nothing finishes before a model has read it. */
import { patched } from '@temporalio/workflow';
import type { Run } from './live-run.ts';
import type { StepRecord } from './state.ts';
import { unheard, unheardBy } from './words.ts';

const isPatched = (): boolean => patched('said-words-get-a-turn');

/** Whether the step's model has to read something before the step may finish. */
export const mustListen = ({ state }: Run, step: StepRecord): boolean =>
  unheardBy(state, step).length > 0 && isPatched();

/** Continues an accepted step, which is then reviewed again. A person's message does not cost an attempt. */
export function reopen(step: StepRecord): void {
  step.state = 'waiting';
  step.reopened = (step.reopened ?? 0) + 1;
  delete step.claim;
}

/** True if someone has spoken since the work was finished: the last step then continues. */
export function isReopened({ state }: Run): boolean {
  const words = unheard(state);
  const last = state.steps.at(-1);
  if (words.length === 0 || last === undefined || !isPatched()) return false;
  // An answer to a step that no longer exists is for whoever continues.
  state.words = (state.words ?? []).map((word) =>
    word.answers === undefined || word.read === true
      ? word
      : { ...word, answers: { ...word.answers, step: last.id } },
  );
  // Read before by another step's model, or not for this one: tell it everything again.
  last.heard = Math.min(last.heard ?? 0, (words[0]?.n ?? 1) - 1);
  reopen(last);
  return true;
}

/** True if a run about to end as stuck has unread messages: they may help it out. */
export const hasWords = ({ state }: Run): boolean => unheard(state).length > 0 && isPatched();
