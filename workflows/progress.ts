import { patched } from '@temporalio/workflow';
import type { ActResult } from '../activities/contract/act.ts';
import { RunEnd } from './failures.ts';
import { hasWords } from './listen.ts';
import { countAlike, countRepeats, remember } from './loops.ts';
import type { Run } from './live-run.ts';
import type { WorktreeState } from './state.ts';
import { maxRounds, planAgain } from './rounds.ts';

const maxDenials = 6;

/** Repeat counts that trigger a reaction. */
const ladder = { nudge: 3, firm: 5, replan: 8, stop: 12 } as const;

/**
 * Detects a run that makes no progress: at the 3rd and 5th repeat the model is told, at the 8th the planner plans
 * again, the 12th ends the run. `countRepeats` defines a repeat. @throws RunEnd `denied` after 6 refused calls in a
 * row, `stuck` at the end of the ladder.
 */
export function noteOutcome(run: Run, result: ActResult): void {
  const { state } = run.worktree;
  state.denials = result.verdict === 'deny' ? state.denials + 1 : 0;
  if (state.denials >= maxDenials) {
    if (hasWords(run)) return begin(run);
    throw new RunEnd(
      'denied',
      `The last ${maxDenials} actions were refused, the latest by ${result.rule}: ${result.reason}`,
    );
  }
  if (!patched('loop-ladder')) {
    noteRepeat(state, result);
    return;
  }
  const recent = remember(state.recent ?? [], result, state.tree ?? '');
  state.recent = recent;
  const { calls, errors } = patched('news-is-no-circle')
    ? countRepeats(recent)
    : countAlike(recent);
  climb(run, calls, 'the same call gave the same result', result.head);
  if (errors > calls) climb(run, errors, 'calls failed the same way', result.head);
}

function climb(run: Run, count: number, what: string, head: string): void {
  const { state } = run.worktree;
  const last = head.slice(0, 120);
  if (count >= ladder.stop || (count === ladder.replan && run.state.round >= maxRounds)) {
    if (hasWords(run)) return begin(run);
    throw new RunEnd(
      'stuck',
      `${capitalize(what)} ${count} times, with no progress in between: ${last}`,
    );
  }
  if (count === ladder.replan)
    planAgain(
      run,
      `The plan got stuck: ${what} ${count} times (${last}). Take a different approach.`,
    );
  if (count === ladder.firm)
    nudge(
      state,
      `Stop: ${what} ${count} times. Do not make that call again. Do something different, finish the step with what you have, or ask the user.`,
    );
  if (count === ladder.nudge)
    nudge(state, `Notice: ${what} ${count} times. Try something else, or say what is missing.`);
}

/** A person has spoken: what follows is no longer a repeat. */
function begin({ worktree: { state } }: Run): void {
  state.recent = [];
  state.denials = 0;
}

/** Adds a sentence to the model's next turn. */
function nudge(state: WorktreeState, text: string): void {
  state.nudge = state.nudge === undefined ? text : `${state.nudge}\n${text}`;
}

const capitalize = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** The behaviour of runs begun before there was a ladder. */
function noteRepeat(state: WorktreeState, result: ActResult): void {
  const [nudgeAt, stopAt] = [3, 8];
  const key = `${result.digest} ${result.ok} ${result.exitCode ?? ''} ${result.bytes} ${result.head}`;
  state.repeat = { key, count: key === state.repeat.key ? state.repeat.count + 1 : 1 };
  if (state.repeat.count >= stopAt) {
    throw new RunEnd(
      'stuck',
      `The same action came out the same ${stopAt} times in a row: ${result.head}`,
    );
  }
  if (state.repeat.count === nudgeAt) {
    state.nudge = `You have made the same call ${nudgeAt} times with the same outcome. Try something else, or say what is missing.`;
  }
}
