/** A person's words always get a turn: nothing is finished before a model has read them. */
import { patched } from '@temporalio/workflow';
import type { Run } from './live-run.ts';
import type { StepRecord } from './state.ts';
import { unheard, unheardBy } from './words.ts';

const isPatched = (): boolean => patched('said-words-get-a-turn');

/** Whether the step's model has to read something before the step may count as finished. */
export const mustListen = ({ state }: Run, step: StepRecord): boolean =>
  unheardBy(state, step).length > 0 && isPatched();

/** A step that was accepted goes on, and is reviewed again. A person's words cost none of its tries. */
export function reopen(step: StepRecord): void {
  step.state = 'waiting';
  step.reopened = (step.reopened ?? 0) + 1;
  delete step.claim;
}

/** True when somebody has spoken since the work was finished: then the last step goes on with it. */
export function isReopened({ state }: Run): boolean {
  const words = unheard(state);
  const last = state.steps.at(-1);
  if (words.length === 0 || last === undefined || !isPatched()) return false;
  // An answer to a step that is no more is for whoever goes on.
  state.words = (state.words ?? []).map((word) =>
    word.answers === undefined || word.read === true
      ? word
      : { ...word, answers: { ...word.answers, step: last.id } },
  );
  // Read by another step's model before, or not for this one: it is told all of it once more.
  last.heard = Math.min(last.heard ?? 0, (words[0]?.n ?? 1) - 1);
  reopen(last);
  return true;
}

/** True when a run that would end as stuck has words to read first: they may be the way out. */
export const hasWords = ({ state }: Run): boolean => unheard(state).length > 0 && isPatched();
