import type { ActResult } from '../activities/contract.ts';
import { RunEnd } from './failures.ts';
import type { RunState } from './state.ts';

const mostDenials = 6;
const nudgeAt = 3;
const stopAt = 8;

/**
 * Notices a run that no longer gets anywhere. A repeat is the same action with the same outcome:
 * waiting for something that changes is not one.
 * @throws RunEnd `denied` after 6 refused calls in a row, `stuck` after the same action came out the same 8 times in a row.
 */
export function noteOutcome(state: RunState, result: ActResult): void {
  state.denials = result.verdict === 'deny' ? state.denials + 1 : 0;
  if (state.denials >= mostDenials) {
    throw new RunEnd(
      'denied',
      `The last ${mostDenials} actions were refused; the last by ${result.rule}: ${result.reason}`,
    );
  }
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
