import type { ActResult } from '../activities/contract/act.ts';
import type { ModelOutcome } from '../activities/contract/model.ts';
import type { Meter } from '../policies/action.ts';
import { RunEnd } from './failures.ts';
import type { RunMeter } from './meters.ts';
import {
  isNearlyUsedUp,
  isOfTool,
  isUsedUp,
  readMeters,
  renderLimit,
  renderMeter,
} from './meters.ts';
import type { Run } from './live-run.ts';
import { limitsOf } from './live-run.ts';
import * as usage from './usage.ts';

/**
 * Called before each step and each model call.
 * @throws RunEnd `budget` when one of these limits is reached.
 */
export function checkBudget(run: Run, ...names: readonly RunMeter[]): void {
  check(run, ({ name }) => names.some((each) => each === name));
}

/** The same before each action, with the limits of its tool. */
export function checkActionBudget(run: Run, tool: string): void {
  const names = ['tool_calls', 'minutes', 'run_output_bytes'];
  check(run, (meter) => names.includes(meter.name) || isOfTool(meter, tool));
}

function check(run: Run, isAbout: (meter: Meter) => boolean): void {
  const meters = readMeters(run.state.usage, limitsOf(run));
  const spent = meters.find((meter) => isAbout(meter) && isUsedUp(meter));
  if (spent !== undefined)
    throw new RunEnd('budget', `The run has used up its ${renderLimit(spent)}.`, spent);
}

const toKey = ({ name, limit }: Meter): string => `${name} ${limit}`;

/** Limits that come to their end and that the model was not told of: once for each, and again when it was raised. */
export function takeWarnings(run: Run): Meter[] {
  const { state } = run;
  const near = readMeters(state.usage, limitsOf(run)).filter(
    (meter) => isNearlyUsedUp(meter) && state.warnings?.includes(toKey(meter)) !== true,
  );
  if (near.length > 0) state.warnings = [...(state.warnings ?? []), ...near.map(toKey)];
  return near;
}

export const renderWarning = (near: readonly Meter[]): string =>
  `Of the budget, ${near.map(renderMeter).join(' and ')} are used. Finish what matters most, then stop.`;

export const countModel = ({ state }: Run, outcome: ModelOutcome<unknown>): void =>
  usage.countModel(state.usage, state.prices, outcome);

export const countAction = ({ state }: Run, tool: string, result: ActResult): void =>
  usage.countAction(state.usage, tool, result);
