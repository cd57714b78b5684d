import { patched } from '@temporalio/workflow';
import type { ActResult } from '../activities/contract.ts';
import { RunEnd } from './failures.ts';
import type { Run, RunState } from './state.ts';
import { mostRounds, planAgain } from './rounds.ts';

const mostDenials = 6;

/** Times that the same thing happened at which something is done about it. */
const ladder = { nudge: 3, firm: 5, replan: 8, stop: 12 } as const;
/** Actions looked back upon: long enough for a circle of four calls to come round as often as the ladder is high. */
const lookBack = 48;

/**
 * Notices a run that no longer gets anywhere: at the 3rd and 5th time the model is told, at the 8th the planner plans again, the 12th
 * ends the run. Counted are: the same call with the same outcome and nothing changed in the workspace, in a row or in a circle of
 * calls; the same call with the same outcome in a row, whatever it changed; the same error in a row, of whatever calls.
 * Waiting for something that changes is none of them.
 * @throws RunEnd `denied` after 6 refused calls in a row, `stuck` at the end of the ladder.
 */
export function noteOutcome(run: Run, result: ActResult): void {
  const { state } = run;
  state.denials = result.verdict === 'deny' ? state.denials + 1 : 0;
  if (state.denials >= mostDenials) {
    throw new RunEnd(
      'denied',
      `The last ${mostDenials} actions were refused; the last by ${result.rule}: ${result.reason}`,
    );
  }
  if (!patched('loop-ladder')) {
    noteRepeat(state, result);
    return;
  }
  const outcome = `${result.ok} ${result.exitCode ?? ''} ${result.bytes} ${result.head}`;
  const [call, tree] = [toMark(`${result.digest} ${outcome}`), toMark(state.tree ?? '')];
  const error = result.ok ? '' : toMark(toKind(result.head));
  const recent = [...(state.recent ?? []), { call, tree, error }].slice(-lookBack);
  state.recent = recent;
  const inCircle = recent.filter((past) => past.call === call && past.tree === tree).length;
  const inRow = countBack(recent, (past) => past.call === call);
  const failed = error === '' ? 0 : countBack(recent, (past) => past.error === error);
  climb(run, Math.max(inCircle, inRow), `the same call came out the same`, result.head);
  if (failed > Math.max(inCircle, inRow))
    climb(run, failed, 'calls failed the same way', result.head);
}

function climb(run: Run, count: number, what: string, head: string): void {
  const { state } = run;
  const last = head.slice(0, 120);
  if (count >= ladder.stop || (count === ladder.replan && state.round >= mostRounds))
    throw new RunEnd(
      'stuck',
      `${capitalize(what)} ${count} times, and nothing else came of it: ${last}`,
    );
  if (count === ladder.replan)
    planAgain(run, `The plan got stuck: ${what} ${count} times (${last}). Find another way.`);
  if (count === ladder.firm)
    nudge(
      state,
      `Stop: ${what} ${count} times. Do not make that call again. Do something different, finish the step with what you have, or ask the person.`,
    );
  if (count === ladder.nudge)
    nudge(state, `Notice: ${what} ${count} times. Try something else, or say what is missing.`);
}

/** Adds a sentence to what the model is told at its next turn. */
export function nudge(state: RunState, text: string): void {
  state.nudge = state.nudge === undefined ? text : `${state.nudge}\n${text}`;
}

function countBack<T>(items: readonly T[], fits: (item: T) => boolean): number {
  const index = items.findLastIndex((item) => !fits(item));
  return items.length - 1 - index;
}

/** Numbers and paths differ from one failure to the next of the same kind. */
const toKind = (text: string): string =>
  text
    .replaceAll(/\S*\/\S*/g, '/')
    .replaceAll(/\d+/g, '0')
    .slice(0, 120);

/** Short, so that many fit into the state: FNV-1a, 32 bits. */
function toMark(text: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++)
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return hash.toString(36);
}

const capitalize = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** What runs did that were begun before there was a ladder. */
function noteRepeat(state: RunState, result: ActResult): void {
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
